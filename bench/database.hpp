// A session of bare libpq that blocks, for what a benchmark asks the server and for the floors that it
// compares with.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <vector>

namespace bench {

class session
{
public:
    /// \throws std::runtime_error with the server's words.
    explicit session(const std::string& dsn);

    /// Runs one or more statements. \throws std::runtime_error with the server's words.
    void execute(const std::string& sql);

    /// The rows of a query as text; null is empty.
    std::vector<std::vector<std::string>> rows(const std::string& sql);

    std::string text(const std::string& sql);
    double number(const std::string& sql);

    PGconn* handle() const noexcept { return connection_.get(); }

private:
    struct closer
    {
        void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
        void operator()(PGresult* result) const noexcept { PQclear(result); }
    };

    std::unique_ptr<PGresult, closer> run(const std::string& sql);

    std::unique_ptr<PGconn, closer> connection_;
};

} // namespace bench
