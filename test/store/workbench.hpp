// A schema of its own with a store on it, and the few words that tests about tasks need.
#pragma once

#include "run.hpp"
#include "server.hpp"

#include <perdure/pg/connection.hpp>
#include <perdure/pg/identifier.hpp>
#include <perdure/pg/pool.hpp>
#include <perdure/store/migrate.hpp>
#include <perdure/store/store.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/uuid/random_generator.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perdure::store {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Remembers what it was told; sends what it leads unless it is silent.
class recorder : public announcer
{
public:
    std::optional<rider> lead(const announcement& what) override
    {
        led.push_back(what);
        const announcement_id id{static_cast<std::uint32_t>(led.size())};
        under_way.insert(id);
        return rider{id, silent ? std::string{} : encode(what), within};
    }
    void committed(const announcement& what, std::optional<announcement_id> number) override
    {
        confirmed.push_back(what);
        if (number) CHECK(under_way.erase(*number) == 1);
        if (!what.empty()) told_before.push_back(number && !silent);
    }
    void not_told(announcement_id number) override
    {
        CHECK(under_way.erase(number) == 1);
        ++untold;
    }
    void troubled(std::string_view, const pg::error&) override { ++troubles; }

    bool silent = false;
    bool within = false; ///< its commits are announced within their transactions
    std::size_t troubles = 0;
    std::size_t untold = 0;
    std::set<announcement_id> under_way; ///< numbers that did not come back yet
    std::vector<announcement> led;
    std::vector<announcement> confirmed;
    std::vector<bool> told_before; ///< for each confirmed one that says something
};

inline payload text(std::string value)
{
    return payload::from_text(std::move(value));
}

inline boost::uuids::uuid draw_key()
{
    thread_local boost::uuids::random_generator draw;
    return draw();
}

inline event make_event(
    event_type type, std::string name = {}, std::string data = {}, std::int32_t operation = 0)
{
    event made;
    made.type = type;
    made.name = std::move(name);
    made.data = text(std::move(data));
    made.operation = operation;
    made.at = timestamp{1'700'000'000s};
    return made;
}

/// For what could be bounded in bytes.
inline constexpr std::int64_t no_limit = std::int64_t{1} << 40;

/// The text of one of the store's statements.
inline std::string read_sql(const std::string& name)
{
    std::ifstream file{std::string{PERDURE_TEST_DIR} + "/../lib/store/sql/" + name + ".sql"};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// A database's schema with the tables in it. Several share the test program's server.
class installation
{
public:
    explicit installation(std::string dsn = test_dsn())
        : dsn_{std::move(dsn)}, schema_{unique_schema()}
    {
        test::run([this]() -> asio::awaitable<void> {
            pg::connection session = co_await pg::connection::connect(options());
            co_await migrate(session, schema_);
        });
    }

    const std::string& schema() const { return schema_; }
    const std::string& dsn() const { return dsn_; }
    pg::connection_options options() const { return pg::connection_options{dsn_}; }
    pg::statement sql(std::string_view text) const { return pg::load_statement(text, schema_); }

private:
    std::string dsn_;
    std::string schema_;
};

/// A session that a test steps through by hand, beside the store.
class by_hand
{
public:
    /// The installation must outlive the session.
    static asio::awaitable<by_hand> connect(const installation& on) { return connect(&on); }

    asio::awaitable<pg::result> operator()(std::string_view sql)
    {
        const pg::statement statement = on_->sql(sql);
        return session_.execute(statement);
    }

    pg::connection& session() { return session_; }

    /// Waits until `count` other sessions of this installation wait for a lock.
    asio::awaitable<void> until_blocked(std::int64_t count = 1)
    {
        const pg::statement waiting =
            on_->sql("select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
                     "and pid <> pg_backend_pid() and position({schema:literal} in query) > 0");
        const auto end = std::chrono::steady_clock::now() + test::deadline;
        for (std::int64_t blocked = 0; blocked < count;) {
            if (std::chrono::steady_clock::now() > end)
                throw std::runtime_error{"nobody waits for a lock"};
            const pg::result rows = co_await session_.execute(waiting);
            blocked = rows.get<std::int64_t>(0, 0);
        }
    }

private:
    by_hand(const installation* on, pg::connection session) : on_{on}, session_{std::move(session)}
    {}

    static asio::awaitable<by_hand> connect(const installation* on)
    {
        pg::connection session = co_await pg::connection::connect(on->options());
        by_hand made{on, std::move(session)};
        co_return made;
    }

    const installation* on_;
    pg::connection session_;
};

/// Starts an operation of a store in the background.
template <class T>
std::shared_ptr<std::optional<T>> spawn(asio::io_context& io, asio::awaitable<T> operation)
{
    auto outcome = std::make_shared<std::optional<T>>();
    asio::co_spawn(io, std::move(operation), [outcome](std::exception_ptr failure, T result) {
        if (failure) std::rethrow_exception(failure); // out of io_context::run, into the test
        *outcome = std::move(result);
    });
    return outcome;
}

/// One process's share of an installation: a pool, a store, everything on one io_context.
class workbench
{
public:
    explicit workbench(const installation& on) : workbench{on, on.dsn()} {}

    /// Reaches the installation another way, such as through a proxy.
    workbench(const installation& on, std::string dsn)
        : on_{on},
          dsn_{std::move(dsn)},
          pool_{io.get_executor(), pg::pool_options{pg::connection_options{dsn_}}},
          store{pool_, on.schema(), announcements}
    {}

    ~workbench()
    {
        pool_.close();
        io.restart();
        io.poll();
        CHECK(announcements.under_way.empty()); // however it ended, the announcer was told
    }

    /// Runs a coroutine function to its end.
    template <class F>
    auto run(F function)
    {
        return test::run(io, std::move(function));
    }

    /// Awaits one operation of the store.
    template <class T>
    T wait(asio::awaitable<T> operation)
    {
        return test::run(io, std::move(operation));
    }

    /// One value of a query; `{schema}` stands for the schema.
    template <class T>
    T value(std::string_view sql)
    {
        const pg::statement statement = on_.sql(sql);
        return wait(pool_.execute(statement)).template get<T>(0, 0);
    }

    void execute(std::string_view sql)
    {
        const pg::statement statement = on_.sql(sql);
        wait(pool_.execute(statement));
    }

    std::int64_t count(std::string_view table)
    {
        return value<std::int64_t>("select count(*) from {schema}." + std::string{table});
    }

    /// A plain session beside the pool.
    /// What the safety statement reads on a session that looks at these topics.
    safety_report safety(
        pg::connection& session, const std::vector<std::int32_t>& topics = {},
        std::int32_t member = 1)
    {
        pg::pipeline::item asked = store.safety_statement(topics, member);
        pg::pipeline one;
        one.add_encoded(asked.statement, std::move(asked.parameters));
        return read_safety(wait(session.run(std::move(one)))[0]);
    }

    pg::connection connect() { return wait(pg::connection::connect(pg::connection_options{dsn_})); }

    /// Starts an instance of the workflow `w`.
    instance_key start(std::string id, std::string queue = "q")
    {
        return wait(store.create({request(std::move(id), std::move(queue))})).at(0).instance;
    }

    static new_instance request(std::string id, std::string queue = "q")
    {
        new_instance instance;
        instance.id = std::move(id);
        instance.workflow = "w";
        instance.queue = std::move(queue);
        instance.arguments = text("[1]");
        instance.start_key = draw_key();
        return instance;
    }

    std::vector<workflow_task> claim(
        std::string queue = "q", std::int32_t limit = 10, std::chrono::milliseconds lease = 10s)
    {
        return wait(store.claim_workflow_tasks(asking(std::move(queue), limit, lease))).tasks;
    }

    workflow_task claim_one(std::string queue = "q", std::chrono::milliseconds lease = 10s)
    {
        return claim(std::move(queue), 1, lease).at(0);
    }

    std::vector<activity_task> claim_activities(
        std::string queue = "q", std::int32_t limit = 10, std::chrono::milliseconds lease = 10s)
    {
        return wait(store.claim_activity_tasks(asking(std::move(queue), limit, lease))).tasks;
    }

    static claim_request asking(
        std::string queue, std::int32_t limit = 10, std::chrono::milliseconds lease = 10s)
    {
        claim_request request;
        request.queues = {std::move(queue)};
        request.limit = limit;
        request.lease = lease;
        return request;
    }

    /// An activation that appends what arrived and a workflow_task, and emits nothing.
    static workflow_completion completion(const workflow_task& task)
    {
        workflow_completion completion;
        completion.instance = task.instance;
        completion.id = task.id;
        completion.queue = task.queue;
        completion.token = task.token;
        completion.next_token = draw_token();
        completion.run = task.run;
        completion.history_length = task.history_length;
        for (const arrived_event& each : task.arrived) {
            completion.consumed.push_back(each.number);
            completion.events.push_back(each.event);
        }
        completion.events.push_back(make_event(event_type::workflow_task));
        return completion;
    }

    /// One that ends the run.
    static workflow_completion finishing(
        const workflow_task& task, enum finish::kind kind = finish::kind::completed)
    {
        workflow_completion made = completion(task);
        finish end;
        end.kind = kind;
        end.data = text("\"end\"");
        event_type type = event_type::workflow_completed;
        if (kind == finish::kind::failed) type = event_type::workflow_failed;
        if (kind == finish::kind::cancelled) type = event_type::workflow_cancelled;
        if (kind == finish::kind::continued) {
            type = event_type::workflow_continued;
            end.workflow = "w2";
            end.data = text("[2]");
        }
        made.events.push_back(make_event(type, end.workflow, std::string{end.data.text()}));
        made.finish = std::move(end);
        return made;
    }

    /// One that schedules activities.
    static workflow_completion scheduling(
        const workflow_task& task, std::int32_t count = 1, std::optional<std::string> queue = {})
    {
        workflow_completion made = completion(task);
        for (std::int32_t i = 1; i <= count; ++i) {
            scheduled_activity activity;
            activity.operation = i;
            activity.name = "a";
            activity.arguments = text("[7]");
            if (queue) activity.options.queue(*queue);
            made.events.push_back(make_event(event_type::activity_scheduled, "a", "[7]", i));
            made.activities.push_back(std::move(activity));
        }
        return made;
    }

    static activity_completion completion(const activity_task& task)
    {
        activity_completion completion;
        completion.id = task.id;
        completion.instance = task.instance;
        completion.run = task.run;
        completion.operation = task.operation;
        completion.name = task.name;
        completion.workflow_queue = task.workflow_queue;
        completion.queue = task.queue;
        completion.token = task.token;
        completion.holder = task.holder;
        completion.data = text("42");
        return completion;
    }

    /// A result whose reporter goes on with the workflow, whose live coroutine stands at this commit.
    static activity_completion claiming(
        const activity_task& task, claim_token live, std::chrono::milliseconds lease = 10s)
    {
        activity_completion made = completion(task);
        made.eager.emplace();
        made.eager->token = draw_token();
        made.eager->live = live;
        made.eager->lease = lease;
        return made;
    }

    workflow_completed complete(workflow_completion completion)
    {
        return wait(store.complete(std::vector<workflow_completion>{std::move(completion)})).at(0);
    }

    activity_completed complete(activity_completion completion)
    {
        return wait(store.complete(std::vector<activity_completion>{std::move(completion)})).at(0);
    }

    signal_status signal(std::string id, std::string name = "s", std::string data = "1")
    {
        signal_request request;
        request.id = std::move(id);
        request.name = std::move(name);
        request.data = text(std::move(data));
        request.key = draw_key();
        return wait(store.signal({std::move(request)})).at(0).status;
    }

    signal_status cancel(std::string id)
    {
        cancel_request request;
        request.id = std::move(id);
        request.key = draw_key();
        return wait(store.cancel({std::move(request)})).at(0).status;
    }

    removal remove(std::string id) { return wait(store.remove({std::move(id)})).at(0); }

    /// Starts an instance and finishes it at once.
    instance_key start_finished(
        std::string id, enum finish::kind kind = finish::kind::completed, std::string queue = "q")
    {
        const instance_key key = start(std::move(id), queue);
        complete(finishing(claim_one(std::move(queue)), kind));
        return key;
    }

    asio::io_context io{1};
    recorder announcements;

private:
    const installation& on_;
    std::string dsn_;
    pg::pool pool_;

public:
    perdure::store::store store;
};

} // namespace perdure::store
