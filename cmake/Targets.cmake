# How the suite's own targets are made. Include paths start at the root.

# transparency_library(<name> [SOURCES <file>...] [LIBS <target>...])
# The library of the current folder: its *.cc, unless SOURCES says otherwise,
# without main.cc and tests. A folder without sources gives an interface library.
function(transparency_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
  if(NOT arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
    list(FILTER arg_SOURCES EXCLUDE REGEX "(_test|/main)\\.cc$")
  endif()
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC ${arg_LIBS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${arg_LIBS})
  endif()
endfunction()

# transparency_executable(<name> SOURCES <file>... [LIBS <target>...])
function(transparency_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} common_allocator)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# transparency_test(<name> [SOURCES <file>...] [LIBS <target>...] [TIMEOUT <s>])
# One GoogleTest executable: SOURCES, else tests/*_test.cc and *_test.cc of the
# current folder; without any source nothing is made. TIMEOUT is per test case.
# A test starts in the root of the checkout.
function(transparency_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LIBS")
  if(NOT arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cc
         ${CMAKE_CURRENT_SOURCE_DIR}/tests/*.cc)
  endif()
  if(NOT arg_SOURCES)
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  transparency_executable(${name} SOURCES ${arg_SOURCES}
      LIBS ${arg_LIBS} GTest::gmock GTest::gtest GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
      TEST_PREFIX "${name}." WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
      PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS ${name})
endfunction()

include(GoogleTest)
