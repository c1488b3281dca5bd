# Installs the program, the library with its headers, and what CMake and pkg-config ask to find it.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/sluice)

install(TARGETS sluice_io sluice_server sluice EXPORT sluice
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/sluice DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp" PATTERN "cli" EXCLUDE PATTERN "sandbox" EXCLUDE PATTERN "sim" EXCLUDE)
install(EXPORT sluice NAMESPACE sluice:: FILE sluiceTargets.cmake DESTINATION ${package_folder})
if(TARGET sluice_program)
  install(TARGETS sluice_program DESTINATION ${CMAKE_INSTALL_BINDIR})
  # An example here; the package of Debian has it in /etc as well.
  install(FILES ${PROJECT_SOURCE_DIR}/packaging/sluice.conf
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/sluice/examples)
endif()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/sluiceConfig.cmake.in
  ${PROJECT_BINARY_DIR}/sluiceConfig.cmake INSTALL_DESTINATION ${package_folder})
# Before 1.0 a new minor version may break what used the old one.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sluiceConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sluiceConfig.cmake
  ${PROJECT_BINARY_DIR}/sluiceConfigVersion.cmake DESTINATION ${package_folder})

# The file says where it lies, so that an installed tree can be moved; this is the way back up.
cmake_path(SET pc_folder /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig)
cmake_path(RELATIVE_PATH pc_folder BASE_DIRECTORY /prefix OUTPUT_VARIABLE pc_below_prefix)
string(REGEX REPLACE "[^/]+" ".." pc_way_up ${pc_below_prefix})
configure_file(${CMAKE_CURRENT_LIST_DIR}/sluice.pc.in ${PROJECT_BINARY_DIR}/sluice.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/sluice.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
