# Warnings, as errors, for every target made after this file is included: our
# own code, not what protoc generates.

if(TRANSPARENCY_FUZZ)
  return()  # They are g++'s; clang knows others.
endif()
add_compile_options(
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow=local -Wnon-virtual-dtor
    -Woverloaded-virtual -Wimplicit-fallthrough -Werror
    # Designated initialisers leave fields out on purpose.
    -Wno-missing-field-initializers
    # g++ 12 warns of impossible overlaps in std::string::operator+ at -O2.
    -Wno-restrict)
if(TRANSPARENCY_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  # g++ 12's flow analysis loses its way in absl::optional once it optimises, and
  # in instrumented code; the Debug build keeps the warning.
  add_compile_options(-Wno-maybe-uninitialized)
endif()
