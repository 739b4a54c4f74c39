# Script: writes every .sql file of DIRECTORY as a constant into the header OUTPUT.
#   cmake -DDIRECTORY=… -DNAMESPACE=… -DOUTPUT=… -P embed_sql.cmake
# A file `claim_tasks.sql` becomes `NAMESPACE::claim_tasks`; the table `NAMESPACE::files` holds all of them
# with their file names, in order.
file(GLOB files ${DIRECTORY}/*.sql)
list(SORT files)
set(constants "")
set(table "")
foreach(file ${files})
  get_filename_component(name ${file} NAME)
  string(REGEX REPLACE "\\.sql$" "" identifier ${name})
  string(REGEX REPLACE "[^A-Za-z0-9_]" "_" identifier ${identifier})
  if(identifier MATCHES "^[0-9]")
    set(identifier "_${identifier}")
  endif()
  file(READ ${file} text)
  string(APPEND constants "inline constexpr std::string_view ${identifier} = R\"~sql~(${text})~sql~\";\n")
  string(APPEND table "    embedded_file{\"${name}\", ${identifier}},\n")
endforeach()
set(content "// Generated from ${NAMESPACE} .sql files; do not edit.
#pragma once

#include <array>
#include <string_view>

namespace ${NAMESPACE} {

struct embedded_file {
    std::string_view name;
    std::string_view text;
};

${constants}
inline constexpr auto files = std::to_array<embedded_file>({
${table}});

} // namespace ${NAMESPACE}
")
file(WRITE ${OUTPUT} "${content}")
