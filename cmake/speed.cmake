# Makes builds fast with what the machine has: ccache, and mold or lld as the linker.
find_program(SLUICE_CCACHE ccache)
if(SLUICE_CCACHE)
  foreach(language C CXX)
    if(NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER ${SLUICE_CCACHE})
    endif()
  endforeach()
endif()

# Precompiled headers halve the time of a build from nothing, and make ccache useless: they are for
# builds that machines make, and nobody makes twice. That every source includes what it uses shows
# where they are off: in the builds of people, and in lint, which builds nothing.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND
   (SLUICE_SANITIZE OR DEFINED ENV{SLUICE_PRECOMPILED}))
  set(SLUICE_PRECOMPILED ON)
endif()
set(SLUICE_COMMON_HEADERS
  <algorithm> <array> <atomic> <chrono> <expected> <functional> <map> <memory> <mutex> <optional>
  <string> <string_view> <thread> <unordered_map> <utility> <vector> <fmt/format.h>)
function(precompile_headers target)
  if(SLUICE_PRECOMPILED)
    target_precompile_headers(${target} PRIVATE ${SLUICE_COMMON_HEADERS} ${ARGN})
  endif()
endfunction()

include(CheckLinkerFlag)
foreach(linker mold lld)
  check_linker_flag(CXX -fuse-ld=${linker} SLUICE_LINKS_WITH_${linker})
  if(SLUICE_LINKS_WITH_${linker})
    add_link_options(-fuse-ld=${linker})
    break()
  endif()
endforeach()
