# With SLUICE_STATIC the program needs nothing but glibc where it runs: what a tar of it is made of.
option(SLUICE_STATIC "Link everything but glibc statically" OFF)
set(SLUICE_FMT fmt::fmt)
set(SLUICE_SPDLOG spdlog::spdlog)
if(SLUICE_STATIC)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
  add_link_options(-static-libstdc++ -static-libgcc)
  # Debian has no archives of these two; their headers alone will do.
  set(SLUICE_FMT fmt::fmt-header-only)
  set(SLUICE_SPDLOG spdlog::spdlog_header_only)
endif()
