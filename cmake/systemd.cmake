# Installs the units for systemd.
include(GNUInstallDirs)
install(FILES packaging/systemd/sluice.service packaging/systemd/sluice.socket
  DESTINATION lib/systemd/system)
install(FILES packaging/systemd/private-network.conf
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
