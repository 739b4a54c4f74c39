# Script: builds the program with the one command that the README names, with this build's compiler, and runs it.
cmake_minimum_required(VERSION 3.25)

file(READ ${HERE}/pkg_config/build.sh command)
string(REPLACE clang++-19 "${COMPILER} ${FLAGS}" command "${command}")
string(REPLACE $HOME/perdure/lib ${LIBRARIES} command "${command}")
set(ENV{PKG_CONFIG_PATH} "") # the README says where the packages are
execute_process(COMMAND sh -exc "${command}" WORKING_DIRECTORY ${HERE}/pkg_config COMMAND_ERROR_IS_FATAL ANY)
set(ENV{LD_LIBRARY_PATH} ${LIBRARIES}) # where shared libraries are installed for good, the system knows it
set(program ${HERE}/pkg_config/hello)
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
