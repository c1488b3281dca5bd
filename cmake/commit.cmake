# Makes generated/commit.inc, a string literal: the commit that is built, for `sluice --version`. It
# is SLUICE_COMMIT; or what git archive wrote into commit.txt; or what git says at each build, which
# changes the file only after a commit; or "unknown".
set(SLUICE_COMMIT "" CACHE STRING "The commit that is built; empty: ask git")
set(commit_file ${PROJECT_BINARY_DIR}/generated/commit.inc)

set(commit "${SLUICE_COMMIT}")
if(NOT commit)
  file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/commit.txt commit LIMIT_COUNT 1)
endif()
if(commit MATCHES "Format")
  set(commit unknown)
  find_package(Git QUIET)
  if(GIT_FOUND AND EXISTS ${PROJECT_SOURCE_DIR}/.git)
    # Git would refuse to answer in a checkout of another user.
    set(git ${GIT_EXECUTABLE} -c safe.directory=${PROJECT_SOURCE_DIR} -C ${PROJECT_SOURCE_DIR})
    # Git appends a line to this log whenever HEAD moves.
    execute_process(COMMAND ${git} rev-parse --path-format=absolute --git-path logs/HEAD
      OUTPUT_VARIABLE log_of_head OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    execute_process(COMMAND ${git} rev-parse HEAD
      OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(head)
      set(commit ${head})
    endif()
  endif()
endif()

# There from the start, for what reads sources without a build.
file(CONFIGURE OUTPUT ${commit_file} CONTENT "\"${commit}\"\n")
if(EXISTS "${log_of_head}")
  list(JOIN git "\" \"" quoted_git)
  set(write_commit ${PROJECT_BINARY_DIR}/generated/write_commit.cmake)
  file(CONFIGURE OUTPUT ${write_commit} @ONLY CONTENT [[
execute_process(COMMAND "@quoted_git@" rev-parse HEAD OUTPUT_VARIABLE head
  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
file(CONFIGURE OUTPUT "@commit_file@" CONTENT "\"${head}\"\n")
]])
  add_custom_command(OUTPUT ${commit_file} COMMAND ${CMAKE_COMMAND} -P ${write_commit}
    DEPENDS ${log_of_head} ${write_commit} COMMENT "Asking git for the commit" VERBATIM)
endif()
