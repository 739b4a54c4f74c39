// The floors: what PostgreSQL and the machine take for the least that has to be done, without the
// library.
#include "control.hpp"
#include "database.hpp"
#include "roles.hpp"

#include <poll.h>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace bench {

namespace {

using clock_type = std::chrono::steady_clock;

/// One session sends, the other hears; each does what a client's and a worker's would.
class floor_pair
{
public:
    explicit floor_pair(const std::string& dsn) : from_{dsn}, to_{dsn}
    {
        from_.execute("create table if not exists floor_tasks (id bigint generated always as "
                      "identity primary "
                      "key, data text)");
        from_.execute("create table if not exists floor_results (data text)");
        to_.execute("listen floor");
    }

    /// A durable commit of one row.
    void commit() { from_.execute("insert into floor_results values (repeat('x', 100))"); }

    void notify()
    {
        from_.execute("notify floor");
        hear();
    }

    /// A start that is committed and announced behind its commit; whoever hears it claims it, and
    /// commits what it leads to.
    void wake()
    {
        PGconn* const sender = from_.handle();
        if (PQsendQuery(
                sender, "begin; insert into floor_tasks (data) values (repeat('x', 100)); commit; "
                        "begin; set local synchronous_commit = off; notify floor; commit") != 1)
            throw std::runtime_error{PQerrorMessage(sender)};
        hear();
        to_.execute(
            "begin; set local synchronous_commit = off; delete from floor_tasks where id = (select "
            "id from floor_tasks order by id limit 1 for update skip locked); commit");
        to_.execute("insert into floor_results values (repeat('x', 100))");
    }

    /// Reads what `wake` left behind, which is no part of it.
    void tidy()
    {
        while (PGresult* left = PQgetResult(from_.handle())) PQclear(left);
    }

private:
    void hear()
    {
        for (;;) {
            if (PQconsumeInput(to_.handle()) != 1)
                throw std::runtime_error{PQerrorMessage(to_.handle())};
            if (PGnotify* heard = PQnotifies(to_.handle())) {
                PQfreemem(heard);
                return;
            }
            pollfd readable{PQsocket(to_.handle()), POLLIN, 0};
            ::poll(&readable, 1, 1000);
        }
    }

    session from_;
    session to_;
};

void measure(floor_pair& pair, command& given)
{
    const auto count = static_cast<std::size_t>(given.number());
    const std::chrono::duration<double, std::micro> pause{given.number()};
    const auto deadline = clock_type::now() + std::chrono::ceil<clock_type::duration>(
                                                  std::chrono::duration<double>{given.number()});
    std::vector<double> taken;
    while (taken.size() < count && clock_type::now() < deadline) {
        std::this_thread::sleep_for(pause);
        const auto begun = clock_type::now();
        if (given.word() == "wake")
            pair.wake();
        else if (given.word() == "notify")
            pair.notify();
        else
            pair.commit();
        taken.push_back(
            std::chrono::duration<double, std::micro>(clock_type::now() - begun).count());
        pair.tidy();
    }
    answer(taken);
}

/// A session that listens as workers do, and reads what it hears: what nobody reads piles up.
[[noreturn]] void listen(const std::string& dsn)
{
    session on{dsn};
    on.execute("listen perdure");
    answer({});
    for (;;) {
        pollfd readable{PQsocket(on.handle()), POLLIN, 0};
        ::poll(&readable, 1, 1000);
        if (PQconsumeInput(on.handle()) != 1) throw std::runtime_error{PQerrorMessage(on.handle())};
        while (PGnotify* heard = PQnotifies(on.handle())) PQfreemem(heard);
    }
}

} // namespace

int play_bare(const role_setup& setup)
{
    std::optional<floor_pair> pair;
    for (std::string line; std::getline(std::cin, line);) {
        command given{line};
        if (given.word() == "listen") listen(setup.dsn);
        if (!pair) pair.emplace(setup.dsn);
        measure(*pair, given);
    }
    return 0;
}

} // namespace bench
