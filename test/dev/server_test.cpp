#include "server.hpp"

#include <perdure/dev/error.hpp>
#include <perdure/dev/server.hpp>

#include <doctest/doctest.h>
#include <libpq-fe.h>

#include <memory>
#include <string>

namespace {

/// The single value a statement gives, or the error's text.
std::string ask(const std::string& dsn, const char* statement)
{
    PGconn* const connection = PQconnectdb(dsn.c_str());
    std::string answer = PQerrorMessage(connection);
    if (PQstatus(connection) == CONNECTION_OK) {
        PGresult* const result = PQexec(connection, statement);
        answer = PQresultStatus(result) == PGRES_TUPLES_OK ? PQgetvalue(result, 0, 0)
                                                           : PQerrorMessage(connection);
        PQclear(result);
    }
    PQfinish(connection);
    return answer;
}

} // namespace

TEST_CASE("a private server answers")
{
    CHECK(ask(test_server().dsn(), "select 40 + 2") == "42");
}
