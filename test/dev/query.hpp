// One statement on a connection of its own.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>

/// The first value of the statement's answer (empty when it has none), or the error's text.
inline std::string query(const std::string& dsn, const std::string& statement)
{
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection{
        PQconnectdb(dsn.c_str()), &PQfinish};
    if (PQstatus(connection.get()) != CONNECTION_OK) return PQerrorMessage(connection.get());
    const std::unique_ptr<PGresult, decltype(&PQclear)> result{
        PQexec(connection.get(), statement.c_str()), &PQclear};
    switch (PQresultStatus(result.get())) {
    case PGRES_TUPLES_OK: return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
    case PGRES_COMMAND_OK: return "";
    default: return PQerrorMessage(connection.get());
    }
}
