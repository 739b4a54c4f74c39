// Workflows whose activities follow one another, and a record of which tasks were claimed as they
// were made.
#pragma once

#include "acceptance/installation.hpp"

#include <perdure/pg/connection.hpp>
#include <perdure/pg/identifier.hpp>
#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>
#include <perdure/workflow/when_all.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace perdure::test {

namespace asio = boost::asio;

inline constexpr workflow<"walk", int(int)> walk;
inline constexpr workflow<"spread", void(int)> spread;
inline constexpr activity<"step", int(int)> step;

/// As many activities, one after the other.
inline task<int> run_walk(context ctx, int count)
{
    int sum = 0;
    for (int i = 0; i < count; ++i) sum += co_await ctx.run(step(i));
    co_return sum;
}

/// As many activities at once.
inline task<void> run_spread(context ctx, int count)
{
    std::vector<operation<int>> steps;
    for (int i = 0; i < count; ++i) steps.push_back(ctx.run(step(i)));
    co_await when_all(std::move(steps));
}

inline asio::awaitable<int> do_step(activity_context, int given)
{
    co_return given;
}

inline void employ(worker& who)
{
    who.implement(walk, run_walk);
    who.implement(step, do_step);
}

/// Notes of every task whether it was claimed as it came into being.
class ledger
{
public:
    explicit ledger(const installation& on) : schema_{pg::quote_identifier(on.schema())}
    {
        execute("create table " + schema_ + ".ledger (kind text, eager boolean)");
        execute("create function " + schema_ + R"(.note() returns trigger language plpgsql as $$
            begin
                execute format(
                    'insert into %I.ledger values ($1, $2)', tg_table_schema)
                    using tg_table_name, new.token is not null;
                return null;
            end $$)");
        for (const char* const table : {".activity_tasks", ".workflow_tasks"})
            execute(
                "create trigger note after insert on " + schema_ + table +
                " for each row execute function " + schema_ + ".note()");
    }

    std::int64_t activities(bool eager) { return count("activity_tasks", eager); }
    std::int64_t workflow_tasks(bool eager) { return count("workflow_tasks", eager); }

private:
    std::int64_t count(std::string table, bool eager)
    {
        return run([&]() -> asio::awaitable<std::int64_t> {
            pg::connection session = co_await pg::connection::connect(connection());
            const pg::statement asked{
                "select count(*) from " + schema_ + ".ledger where kind = $1 and eager = $2"};
            const pg::result rows = co_await session.execute(asked, table, eager);
            co_return rows.get<std::int64_t>(0, 0);
        });
    }

    static pg::connection_options connection() { return pg::connection_options{test_dsn()}; }

    static void execute(const std::string& text)
    {
        run([&]() -> asio::awaitable<void> {
            pg::connection session = co_await pg::connection::connect(connection());
            co_await session.execute(pg::statement{text});
        });
    }

    std::string schema_;
};

} // namespace perdure::test
