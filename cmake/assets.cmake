# Makes generated/assets.cpp of the files in assets/: the constants that sluice/base/assets.hpp
# declares.
file(GLOB asset_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/assets/*)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${asset_files})
set(SLUICE_ASSETS "")
foreach(file IN LISTS asset_files)
  cmake_path(GET file FILENAME name)
  string(MAKE_C_IDENTIFIER ${name} name)
  file(READ ${file} text)
  string(APPEND SLUICE_ASSETS "const std::string_view ${name} = R\"asset(${text})asset\";\n")
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/assets.cpp.in
  ${PROJECT_BINARY_DIR}/generated/assets.cpp @ONLY)
