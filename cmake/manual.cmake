# The manual pages and the completions of shells, which the program itself writes, and their places
# when they are installed: target `manual`, part of all unless SLUICE_MANUAL is off.
if(NOT TARGET sluice_program)
  return()
endif()
set(manual_by_default ON)
if(SLUICE_SANITIZE OR CMAKE_CROSSCOMPILING)
  set(manual_by_default OFF)
endif()
option(SLUICE_MANUAL "Make manual pages and completions, by running the program" ${manual_by_default})
if(NOT SLUICE_MANUAL)
  return()
endif()

include(GNUInstallDirs)
set(manual ${PROJECT_BINARY_DIR}/manual)
# Pages of commands that are no more do not stay.
add_custom_command(OUTPUT ${manual}/made
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${manual}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${manual}
  COMMAND sluice_program manual ${manual}/pages
  COMMAND sluice_program completions bash > ${manual}/sluice
  COMMAND sluice_program completions zsh > ${manual}/_sluice
  COMMAND sluice_program completions fish > ${manual}/sluice.fish
  COMMAND ${CMAKE_COMMAND} -E touch ${manual}/made
  DEPENDS sluice_program
  COMMENT "Writing manual pages and completions"
  VERBATIM)
add_custom_target(manual ALL DEPENDS ${manual}/made)

foreach(section 1 5)
  install(DIRECTORY ${manual}/pages/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section}
    FILES_MATCHING PATTERN "*.${section}")
endforeach()
# Where Debian's shells look.
install(FILES ${manual}/sluice DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${manual}/_sluice DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${manual}/sluice.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
