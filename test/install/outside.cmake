# Script: configures, builds and runs the project of one WAY.
cmake_minimum_required(VERSION 3.25)

find_program(ccache ccache)
if(ccache)
  set(launcher -DCMAKE_CXX_COMPILER_LAUNCHER=${ccache})
endif()
set(build ${HERE}/${WAY}/build)
execute_process(COMMAND ${CMAKE_COMMAND} -S ${HERE}/${WAY} -B ${build} -G Ninja ${launcher}
  -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${FLAGS} -DCMAKE_PREFIX_PATH=${INSTALLED}
  -DFETCHCONTENT_SOURCE_DIR_PERDURE=${HERE}/add_subdirectory/perdure COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${build} COMMAND_ERROR_IS_FATAL ANY)
set(program ${build}/hello)
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
