# The warnings our own code is compiled with, and the sanitizers everything is.
add_library(sluice_options INTERFACE)
target_compile_options(sluice_options INTERFACE
  -Wall -Wextra -Wpedantic $<$<NOT:$<BOOL:${SLUICE_UNITY}>>:-Wshadow> -Wcast-align -Wformat=2
  $<$<BOOL:${SLUICE_WERROR}>:-Werror>
  $<$<COMPILE_LANGUAGE:CXX>:-Wconversion;-Wsign-conversion;-Wnon-virtual-dtor;-Wold-style-cast;-Woverloaded-virtual;-Wdeprecated-copy-dtor>)
# What is left out where sources are compiled together is a mistake in none of them: a local that is
# named like another source's constant, and a frame of a coroutine with a type that only its source
# knows.
target_compile_options(sluice_options INTERFACE
  $<$<AND:$<BOOL:${SLUICE_UNITY}>,$<COMPILE_LANG_AND_ID:CXX,GNU>>:-Wno-subobject-linkage>)
# g++ 12 sees these in sound code once it inlines: the first two in its own library (GCC bugs 105651
# and 105562), the third where a local leaves an intrusive list in its destructor.
target_compile_options(sluice_options INTERFACE
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wno-maybe-uninitialized;-Wno-dangling-pointer>)

if(SLUICE_SANITIZE)
  add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  # At a fixed address: relocating what a sanitizer adds is a third of the start of a program, and
  # tests start thousands.
  add_compile_options(-fno-pie)
  add_link_options(-fsanitize=${SLUICE_SANITIZE} -no-pie)
endif()
