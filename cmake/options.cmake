# The warnings our own code is compiled with, and the sanitizers everything is.
add_library(sluice_options INTERFACE)
target_compile_options(sluice_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wcast-align -Wformat=2 $<$<BOOL:${SLUICE_WERROR}>:-Werror>
  $<$<COMPILE_LANGUAGE:CXX>:-Wconversion;-Wsign-conversion;-Wnon-virtual-dtor;-Wold-style-cast;-Woverloaded-virtual>)
# g++ 12 sees these two in sound code of its own library once it inlines (GCC bugs 105651, 105562).
target_compile_options(sluice_options INTERFACE
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wno-maybe-uninitialized>)

if(SLUICE_SANITIZE)
  add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SLUICE_SANITIZE})
endif()
