// Writers that retry each of their operations until it is done, and a watcher who learns of it by
// notification, or by looking after a gap: what an outage must not confuse.
#pragma once

#include "session.hpp"

#include <perdure/pg/listener.hpp>
#include <perdure/pg/pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <exception>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace perdure::test {

/// Each operation inserts a key of its own, counts up and notifies, in one transaction. After a
/// failure that promises that nothing was committed it is done again, after an unknown commit it is
/// looked up. So at the end keys, count and confirmations agree, or a promise was broken.
class traffic
{
public:
    /// Sets up its tables over a connection that `control` names and no fault concerns; the
    /// connections that the fault concerns are made as `pool` and `listener` say.
    traffic(
        boost::asio::io_context& io, pg::connection_options control, pg::pool_options pool,
        pg::listener_options listener)
        : io_{io},
          control_{std::move(control)},
          schema_{unique_schema()},
          channel_{schema_},
          insert_{"insert into " + schema_ + ".operations (key) values ($1)"},
          count_{"update " + schema_ + ".counter set value = value + 1"},
          lock_{"select value from " + schema_ + ".counter for update"},
          find_{"select exists (select from " + schema_ + ".operations where key = $1)"},
          look_{"select key from " + schema_ + ".operations"},
          pool_{io.get_executor(), std::move(pool)},
          listener_{io.get_executor(), listener.channels({channel_})}
    {
        run(io_, set_up());
        listener_.on_notification([this](const pg::notification& n) { seen_.insert(n.payload); });
        listener_.on_gap([this] {
            ++gaps;
            spawn(look());
        });
        listener_.on_down([this](const pg::error& e) { down.push_back(e); });
    }

    traffic(const traffic&) = delete;
    traffic& operator=(const traffic&) = delete;

    /// Begins to listen and to write, with this many writers at a time.
    void start(int writers)
    {
        spawn(listener_.run());
        for (int i = 0; i < writers; ++i) spawn(write(std::to_string(i) + "-"));
    }

    /// Waits until the listener is up, and then until this many more operations were confirmed to
    /// their writers.
    boost::asio::awaitable<void> go_on(std::size_t more)
    {
        co_await wait_until([this] { return ended_early_ || listener_.up(); });
        const std::size_t enough = confirmed_.size() + more;
        co_await wait_until([this, enough] { return ended_early_ || confirmed_.size() >= enough; });
        REQUIRE(!ended_early_);
    }

    /// Stops the writers, waits until the watcher has seen everything, and compares.
    boost::asio::awaitable<void> finish()
    {
        stopping_ = true;
        co_await wait_until([this] { return running_ == 1; }); // the listener
        co_await wait_until([this] { return std::ranges::includes(seen_, confirmed_); });
        listener_.stop();
        co_await wait_until([this] { return running_ == 0; });
        CHECK(!ended_early_);
        pg::connection c = co_await pg::connection::connect(control_);
        const pg::statement counted{"select value from " + schema_ + ".counter"};
        const pg::result count = co_await c.execute(counted);
        CHECK(count.get<std::int64_t>(0, 0) == static_cast<std::int64_t>(confirmed_.size()));
        const pg::result rows = co_await c.execute(look_);
        std::set<std::string> written;
        for (auto [key] : rows.rows<std::string>()) written.insert(key);
        CHECK(written == confirmed_); // nothing lost, nothing done behind a writer's back
        CHECK(pool_.idle() == pool_.size());
        MESSAGE(
            confirmed_.size(), " operations, ", failures.size(), " failures, ", unknown,
            " unknown commits, ", gaps, " gaps");
    }

    pg::pool& pool() noexcept { return pool_; }
    bool listens() const noexcept { return listener_.up(); }

    std::vector<pg::error> down;     ///< What the listener reported.
    std::vector<pg::error> failures; ///< What the writers met.
    int gaps = 0;
    int unknown = 0; ///< Failures whose outcome had to be looked up.

private:
    boost::asio::awaitable<void> set_up()
    {
        pg::connection c = co_await pg::connection::connect(control_);
        co_await c.execute_script(
            "create schema " + schema_ + "; create table " + schema_ +
            ".operations (key text primary key); create table " + schema_ +
            ".counter (value bigint); insert into " + schema_ + ".counter values (0)");
    }

    void spawn(boost::asio::awaitable<void> work)
    {
        ++running_;
        boost::asio::co_spawn(io_, std::move(work), [this](std::exception_ptr failure) {
            --running_;
            if (!failure) return;
            ended_early_ = true;
            try {
                std::rethrow_exception(failure);
            } catch (const std::exception& e) {
                FAIL_CHECK(std::string{e.what()});
            }
        });
    }

    boost::asio::awaitable<void> write(std::string prefix)
    {
        for (int number = 0; !stopping_; ++number) {
            const std::string key = prefix + std::to_string(number);
            bool done = false;
            bool doubted = false;
            while (!done) done = co_await try_to_write(key, doubted);
            confirmed_.insert(key);
        }
    }

    /// True once it is known that the operation was done. `doubted`: an earlier attempt may still
    /// be on its way through the network, and do it.
    boost::asio::awaitable<bool> try_to_write(std::string key, bool& doubted)
    {
        static const pg::statement notify{"select pg_notify($1, $2)"};
        pg::pipeline p;
        p.begin();
        p.add(insert_, key);
        p.add(count_);
        p.add(notify, channel_, key);
        p.commit();
        bool doubtful = false;
        try {
            co_await pool_.run(std::move(p));
            co_return true;
        } catch (const pg::error& e) {
            const bool done_already = e.sqlstate() == "23505" && doubted;
            if (done_already) co_return true;
            if (e.code() == pg::errc::server_error)
                throw; // the key was there: done behind our back
            failures.push_back(e);
            doubtful = e.code() == pg::errc::commit_unknown;
        }
        unknown += doubtful ? 1 : 0;
        doubted = doubted || doubtful;
        while (doubtful) {
            std::optional<bool> found = co_await was_written(key);
            if (found) co_return *found;
            co_await pause(std::chrono::milliseconds{5});
        }
        co_await pause(std::chrono::milliseconds{5});
        co_return false;
    }

    /// Nothing if it cannot be told now. The lock that every operation takes waits out a
    /// transaction whose writer is gone.
    boost::asio::awaitable<std::optional<bool>> was_written(std::string key)
    {
        pg::pipeline p;
        p.begin();
        p.add(lock_);
        const std::size_t exists = p.add(find_, key);
        p.commit();
        std::optional<bool> found;
        try {
            const pg::pipeline_result r = co_await pool_.run(std::move(p));
            found = r[exists].get<bool>(0, 0);
        } catch (const pg::error& e) {
            failures.push_back(e);
        }
        co_return found;
    }

    boost::asio::awaitable<void> look()
    {
        for (bool looked = false; !looked;) {
            try {
                const pg::result rows = co_await pool_.execute(look_);
                for (auto [key] : rows.rows<std::string>()) seen_.insert(key);
                looked = true;
            } catch (const pg::error& e) {
                failures.push_back(e);
            }
            if (!looked) co_await pause(std::chrono::milliseconds{5});
        }
    }

    boost::asio::io_context& io_;
    pg::connection_options control_;
    std::string schema_;
    std::string channel_;
    pg::statement insert_;
    pg::statement count_;
    pg::statement lock_;
    pg::statement find_;
    pg::statement look_;
    pg::pool pool_;
    pg::listener listener_;
    std::set<std::string> confirmed_;
    std::set<std::string> seen_;
    int running_ = 0;
    bool stopping_ = false;
    bool ended_early_ = false;
};

} // namespace perdure::test
