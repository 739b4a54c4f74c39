# Script: configures, builds and runs the project of one WAY, beside the build tree BUILD and with its options.
cmake_minimum_required(VERSION 3.25)

set(build ${BUILD}.${WAY})
execute_process(COMMAND ${CMAKE_COMMAND} -S ${HERE}/${WAY} -B ${build} -G Ninja -C ${HERE}/options.cmake
  -DCMAKE_PREFIX_PATH=${INSTALLED} -DFETCHCONTENT_SOURCE_DIR_PERDURE=${HERE}/add_subdirectory/perdure
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${build} COMMAND_ERROR_IS_FATAL ANY)
set(program ${build}/hello)
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
