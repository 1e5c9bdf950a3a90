# What our own code is instrumented with for libFuzzer (tests/fuzz): after the
# contract's targets, which stay as they are.

if(TRANSPARENCY_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=vptr
                      -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined -fno-sanitize=vptr)
endif()
