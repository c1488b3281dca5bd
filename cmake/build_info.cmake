# Gives sluice/cli/build_info.cpp what it says of this build. That source is compiled alone, since it
# is compiled again at each commit.
include(commit)

set(compiler ${CMAKE_CXX_COMPILER_ID})
if(compiler STREQUAL "GNU")
  set(compiler g++)
elseif(compiler STREQUAL "Clang")
  set(compiler clang++)
endif()
string(JOIN ", " built_with "${compiler} ${CMAKE_CXX_COMPILER_VERSION}" ${CMAKE_BUILD_TYPE})
if(SLUICE_SANITIZE)
  string(APPEND built_with ", sanitizers ${SLUICE_SANITIZE}")
endif()
if(SLUICE_STATIC)
  string(APPEND built_with ", all but glibc linked statically")
endif()
string(JOIN ", " built_on "liburing ${URING_VERSION}" "OpenSSL ${OPENSSL_VERSION}"
  "ICU ${ICU_VERSION}" "fmt ${fmt_VERSION}" "spdlog ${spdlog_VERSION}"
  "libseccomp ${SECCOMP_VERSION}")
set_source_files_properties(sluice/cli/build_info.cpp PROPERTIES
  COMPILE_DEFINITIONS "SLUICE_BUILT_WITH=\"${built_with}\";SLUICE_BUILT_ON=\"${built_on}\""
  INCLUDE_DIRECTORIES ${PROJECT_BINARY_DIR}/generated
  OBJECT_DEPENDS ${commit_file}
  SKIP_UNITY_BUILD_INCLUSION ON
  SKIP_PRECOMPILE_HEADERS ON)
