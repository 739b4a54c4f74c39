# Runs `program`, which starts a PostgreSQL of its own, and reads what it says.
execute_process(COMMAND ${program} OUTPUT_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
if(NOT said MATCHES "^A-17: 4200 cents as payment [0-9.]+, approved\n$")
  message(FATAL_ERROR "the program said: ${said}")
endif()
