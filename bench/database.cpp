#include "database.hpp"

#include <stdexcept>

namespace bench {

session::session(const std::string& dsn) : connection_{PQconnectdb(dsn.c_str())}
{
    if (PQstatus(connection_.get()) != CONNECTION_OK)
        throw std::runtime_error{PQerrorMessage(connection_.get())};
    PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
}

std::unique_ptr<PGresult, session::closer> session::run(const std::string& sql)
{
    std::unique_ptr<PGresult, closer> result{PQexec(connection_.get(), sql.c_str())};
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        throw std::runtime_error{
            std::string{PQerrorMessage(connection_.get())} + "in the statement: " + sql};
    return result;
}

void session::execute(const std::string& sql)
{
    run(sql);
}

std::vector<std::vector<std::string>> session::rows(const std::string& sql)
{
    const auto result = run(sql);
    std::vector<std::vector<std::string>> all;
    for (int row = 0; row < PQntuples(result.get()); ++row) {
        std::vector<std::string>& fields = all.emplace_back();
        for (int column = 0; column < PQnfields(result.get()); ++column)
            fields.emplace_back(PQgetvalue(result.get(), row, column));
    }
    return all;
}

std::string session::text(const std::string& sql)
{
    const auto all = rows(sql);
    if (all.size() != 1 || all.front().size() != 1)
        throw std::runtime_error{"one value was expected of the statement: " + sql};
    return all.front().front();
}

double session::number(const std::string& sql)
{
    return std::stod(text(sql));
}

} // namespace bench
