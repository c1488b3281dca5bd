# Makes builds fast with what the machine has: ccache, and mold or lld as the linker. A package is
# built without, so that it does not depend on the machine.
option(SLUICE_LOCAL_TOOLS "Use ccache, and mold or lld, where they are installed" ON)
if(SLUICE_LOCAL_TOOLS)
  find_program(SLUICE_CCACHE ccache)
endif()
if(SLUICE_LOCAL_TOOLS AND SLUICE_CCACHE)
  foreach(language C CXX)
    if(NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER ${SLUICE_CCACHE})
    endif()
  endforeach()
endif()

# A build from nothing takes a third of the time where several sources are compiled at once behind
# precompiled headers. What is hidden by that, a source that lacks an include, shows in lint, which
# reads each alone. Who changes a source every minute has the shorter way without it:
# cmake --preset dev -DSLUICE_UNITY=OFF
option(SLUICE_UNITY "Compile several sources at once, behind precompiled headers" ON)
if(SLUICE_UNITY)
  set(CMAKE_UNITY_BUILD ON)
  # Of more at once, unnamed namespaces begin to share names.
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 24)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Kilobytes. So many lie in a compilation here before garbage is looked for, a twelfth of the time.
  add_compile_options(--param=ggc-min-heapsize=500000)
endif()
set(SLUICE_COMMON_HEADERS
  <algorithm> <array> <atomic> <chrono> <expected> <functional> <map> <memory> <mutex> <optional>
  <string> <string_view> <thread> <unordered_map> <utility> <vector> <fmt/format.h>)
function(precompile_headers target)
  if(SLUICE_UNITY)
    target_precompile_headers(${target} PRIVATE ${SLUICE_COMMON_HEADERS} ${ARGN})
  endif()
endfunction()
# The same for many small targets with the same flags: the first of a group compiles the headers.
function(share_precompiled_headers target group)
  if(NOT SLUICE_UNITY)
    return()
  endif()
  get_property(first GLOBAL PROPERTY SLUICE_FIRST_OF_${group})
  if(first)
    target_precompile_headers(${target} REUSE_FROM ${first})
  else()
    target_precompile_headers(${target} PRIVATE ${ARGN})
    set_property(GLOBAL PROPERTY SLUICE_FIRST_OF_${group} ${target})
  endif()
endfunction()

set(SLUICE_LINKERS "")
if(SLUICE_LOCAL_TOOLS)
  set(SLUICE_LINKERS mold lld)
endif()
include(CheckLinkerFlag)
foreach(linker IN LISTS SLUICE_LINKERS)
  check_linker_flag(CXX -fuse-ld=${linker} SLUICE_LINKS_WITH_${linker})
  if(SLUICE_LINKS_WITH_${linker})
    add_link_options(-fuse-ld=${linker})
    break()
  endif()
endforeach()
