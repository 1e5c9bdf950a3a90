# The libraries of Debian 12 that the suite stands on, each as an imported target.

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Protobuf REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(GTest CONFIG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
add_library(libpq ALIAS PkgConfig::LIBPQ)
add_library(utf8proc ALIAS PkgConfig::UTF8PROC)
add_library(nghttp2 ALIAS PkgConfig::NGHTTP2)

# SOCI comes with neither a CMake nor a pkg-config file.
find_path(SOCI_INCLUDE_DIR soci/soci.h REQUIRED)
find_library(SOCI_CORE_LIBRARY soci_core REQUIRED)
find_library(SOCI_POSTGRESQL_LIBRARY soci_postgresql REQUIRED)
add_library(soci INTERFACE IMPORTED)
# Some of SOCI's own headers include each other without the folder.
target_include_directories(soci SYSTEM INTERFACE ${SOCI_INCLUDE_DIR} ${SOCI_INCLUDE_DIR}/soci)
target_link_libraries(soci INTERFACE ${SOCI_POSTGRESQL_LIBRARY} ${SOCI_CORE_LIBRARY}
                      Boost::headers libpq ${CMAKE_DL_LIBS})

# Boost.JSON compiled once; its users see declarations only.
file(WRITE ${CMAKE_BINARY_DIR}/boost_json.cc.in "#include <boost/json/src.hpp>\n")
configure_file(${CMAKE_BINARY_DIR}/boost_json.cc.in ${CMAKE_BINARY_DIR}/boost_json.cc COPYONLY)
add_library(boost_json STATIC EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/boost_json.cc)
target_link_libraries(boost_json PUBLIC Boost::headers)
