# Warnings, as errors, for every target made after this file is included: our
# own code, not what protoc generates.

add_compile_options(
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow=local -Wnon-virtual-dtor
    -Woverloaded-virtual -Wimplicit-fallthrough -Werror
    # Designated initialisers leave fields out on purpose.
    -Wno-missing-field-initializers
    # g++ 12 warns of impossible overlaps in std::string::operator+ at -O2.
    -Wno-restrict)
if(TRANSPARENCY_SANITIZE)
  # The instrumented code confuses g++ 12's flow analysis.
  add_compile_options(-Wno-maybe-uninitialized)
endif()
