# Script: installs the build tree BUILD, then moves everything to INSTALLED: nothing installed may know where it is.
cmake_minimum_required(VERSION 3.25)

file(REMOVE_RECURSE ${INSTALLED} ${INSTALLED}.before)
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${INSTALLED}.before
  COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${INSTALLED}.before ${INSTALLED})
execute_process(COMMAND ${INSTALLED}/bin/perdure --version OUTPUT_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
if(NOT said STREQUAL "perdure ${VERSION}\n")
  message(FATAL_ERROR "this is ${VERSION}, but the command says: ${said}") # as perdure/store/migrate.hpp has it
endif()
