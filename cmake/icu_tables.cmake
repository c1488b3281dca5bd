# Makes the library sluice_icu_tables: of ICU's tables, which are 30 MB when they are linked statically,
# those that sluice reads. What is in them is decided by chat/server/names.cpp and term/grapheme.cpp:
# the ends of characters, look-alikes, NFKC, and the root of all languages. (Properties of characters
# and NFC are in ICU's code.) A chat does not start without them.
set(tables root.res res_index.res pool.res brkitr/root.res brkitr/res_index.res brkitr/char.brk
  confusables.cfu nfkc.nrm nfkc_cf.nrm)

string(REGEX MATCH "^[0-9]+" major ${ICU_VERSION})
set(folder ${PROJECT_BINARY_DIR}/generated/icu)
set(name icudt${major}l)
find_library(SLUICE_ICU_DATA icudata REQUIRED)
find_program(SLUICE_ICUPKG icupkg REQUIRED)
file(MAKE_DIRECTORY ${folder}/items)
list(JOIN tables "\n" lines)
file(WRITE ${folder}/tables.lst "${lines}\n")
foreach(command
    "${CMAKE_AR} x ${SLUICE_ICU_DATA}"
    "${CMAKE_OBJCOPY} -O binary -j .rodata ${name}_dat.o all.dat"
    "${CMAKE_COMMAND} -E copy all.dat ${name}.dat"
    "${SLUICE_ICUPKG} -x tables.lst -d items ${name}.dat"
    "${SLUICE_ICUPKG} --ignore-deps -tl -s items -a tables.lst new ${name}.dat")
  separate_arguments(words UNIX_COMMAND "${command}")
  execute_process(COMMAND ${words} WORKING_DIRECTORY ${folder}
    OUTPUT_QUIET ERROR_VARIABLE said RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "cannot take tables of ICU out of ${SLUICE_ICU_DATA}: ${command}: ${said}")
  endif()
endforeach()
file(CONFIGURE OUTPUT ${folder}/tables.c @ONLY CONTENT [[
__asm__(".section .rodata\n"
        ".balign 16\n"
        ".globl icudt@major@_dat\n"
        "icudt@major@_dat:\n"
        ".incbin \"@folder@/@name@.dat\"\n"
        ".previous\n");
]])
add_library(sluice_icu_tables STATIC ${folder}/tables.c)
set_source_files_properties(${folder}/tables.c PROPERTIES OBJECT_DEPENDS ${folder}/${name}.dat)
set_target_properties(sluice_icu_tables PROPERTIES UNITY_BUILD OFF)
