#include <perdure/client/client.hpp>

#include <client/client_core.hpp>

#include <perdure/pg/error.hpp>
#include <perdure/workflow/checks.hpp>
#include <perdure/workflow/error.hpp>
#include <perdure/workflow/failed.hpp>

#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>

#include <utility>

namespace perdure {

namespace asio = boost::asio;

namespace {

boost::uuids::uuid draw_key()
{
    thread_local boost::uuids::random_generator draw;
    return draw();
}

[[noreturn]] void throw_not_found(const std::string& id, std::string_view which)
{
    throw error{errc::not_found, "no " + std::string{which} + " has the id \"" + id + "\""};
}

[[noreturn]] void throw_refused(const std::string& what, const std::string& reason)
{
    throw pg::error{
        pg::errc::server_error,
        "the database refused " + what + ", nothing was changed: " + reason};
}

void check_handle(const std::shared_ptr<client_core>& client, const std::string& id)
{
    if (!client)
        throw error{
            errc::invalid_argument,
            "an empty handle names no instance: assign it what client::start or client::get gives"};
    check_id(id);
}

/// \throws pg::error when the database refused it: for this one sender, nobody else in its batch.
void check_delivered(const store::signalled& outcome, std::string_view what, const std::string& id)
{
    if (outcome.status == store::signal_status::not_found) throw_not_found(id, "active instance");
    if (outcome.status == store::signal_status::rejected)
        throw_refused(std::string{what} + " \"" + id + "\"", outcome.reason);
}

asio::awaitable<store::instance_state> state_of(
    std::shared_ptr<client_core> client, std::string id,
    std::optional<store::instance_key> instance)
{
    check_handle(client, id);
    co_await client->engine().ready();
    std::optional<store::instance_state> found;
    if (instance)
        found = co_await client->engine().store().state(*instance);
    else
        found = co_await client->engine().store().state(id);
    if (!found) throw_not_found(id, "instance");
    co_return std::move(*found);
}

store::signal_request checked_signal(
    const std::shared_ptr<client_core>& client, const std::string& id, std::string name,
    payload value)
{
    check_handle(client, id);
    check_name("signal", name);
    const std::string what = "the value of signal " + name;
    check_payload(what, value);
    check_json(what, value);
    store::signal_request request;
    request.key = draw_key();
    request.id = id;
    request.name = std::move(name);
    request.data = std::move(value);
    return request;
}

asio::awaitable<void> send_signal(
    std::shared_ptr<client_core> client, std::string id, std::string name, payload value)
{
    store::signal_request request = checked_signal(client, id, std::move(name), std::move(value));
    const store::signalled outcome = co_await client->signal(std::move(request));
    check_delivered(outcome, "the signal to", id);
}

asio::awaitable<void> send_signal_within(
    std::shared_ptr<client_core> client, pg::transaction* within, std::string id, std::string name,
    payload value)
{
    store::signal_request request = checked_signal(client, id, std::move(name), std::move(value));
    co_await client->engine().ready();
    const bool sent = co_await client->engine().store().signal(within, std::move(request));
    if (!sent) throw_not_found(id, "active instance");
}

asio::awaitable<void> send_cancel_within(
    std::shared_ptr<client_core> client, pg::transaction* within, std::string id)
{
    check_handle(client, id);
    co_await client->engine().ready();
    store::cancel_request request;
    request.id = id;
    const bool sent = co_await client->engine().store().cancel(within, std::move(request));
    if (!sent) throw_not_found(id, "active instance");
}

asio::awaitable<void> send_cancel(std::shared_ptr<client_core> client, std::string id)
{
    check_handle(client, id);
    store::cancel_request request;
    request.key = draw_key();
    request.id = id;
    const store::signalled outcome = co_await client->cancel(std::move(request));
    check_delivered(outcome, "the cancellation of", id);
}

asio::awaitable<std::vector<event>> history_of(
    std::shared_ptr<client_core> client, std::string id,
    std::optional<store::instance_key> instance, std::optional<std::int32_t> run,
    store::history_page page)
{
    check_handle(client, id);
    if (page.after < 0 || (page.limit && *page.limit < 1))
        throw error{
            errc::invalid_argument,
            "a page of a history begins after 0 events or more, and has at least 1"};
    if (!instance || !run) {
        const store::instance_state state = co_await state_of(client, id, instance);
        instance = state.instance;
        if (!run) run = state.run;
    } else {
        co_await client->engine().ready();
    }
    std::vector<event> events =
        co_await client->engine().store().load_history(*instance, *run, page);
    if (events.empty()) co_await state_of(client, id, instance); // it may have been removed
    co_return events;
}

asio::awaitable<void> remove_id(std::shared_ptr<client_core> client, std::string id)
{
    check_handle(client, id);
    co_await client->engine().ready();
    std::vector<std::string> one{id};
    const std::vector<store::removal> removed =
        co_await client->engine().store().remove(std::move(one));
    switch (removed.front()) {
    case store::removal::removed: break;
    case store::removal::not_found: throw_not_found(id, "instance");
    case store::removal::not_finished:
        throw error{
            errc::not_finished,
            "the instance \"" + id +
                "\" is still active: cancel it first, and let a worker that has its code carry "
                "that out"};
    case store::removal::busy:
        throw error{
            errc::not_finished, "an activity of the instance \"" + id +
                                    "\" still runs; it was told to stop, try again soon"};
    }
}

asio::awaitable<store::statistics> statistics_of(std::shared_ptr<client_core> client)
{
    co_await client->engine().ready();
    co_return co_await client->engine().store().read_statistics();
}

asio::awaitable<std::vector<store::instance_state>> list_of(
    std::shared_ptr<client_core> client, store::list_request request)
{
    co_await client->engine().ready();
    co_return co_await client->engine().store().list(std::move(request));
}

asio::awaitable<payload> result_of(
    std::shared_ptr<client_core> client, std::string id,
    std::optional<store::instance_key> instance)
{
    check_handle(client, id);
    if (!instance) {
        const store::instance_state state = co_await state_of(client, id, instance);
        instance = state.instance;
    }
    const store::instance_result result = co_await client->wait_for_result(*instance);
    if (result.removed) throw_not_found(id, "instance");
    if (result.kind != finish::kind::completed) {
        const store::instance_state state = co_await state_of(client, id, instance);
        if (result.kind == finish::kind::cancelled) throw cancelled{state.workflow, id};
        throw workflow_failed{state.workflow, id, decode_failure(result.data)};
    }
    co_return result.data;
}

store::new_instance checked_instance(
    std::string workflow, std::optional<std::string> id, std::optional<std::string> queue,
    payload arguments)
{
    store::new_instance instance;
    instance.start_key = draw_key();
    instance.id = id ? std::move(*id) : boost::uuids::to_string(draw_key());
    instance.workflow = std::move(workflow);
    instance.queue = queue ? std::move(*queue) : std::string{defaults::queue};
    instance.arguments = std::move(arguments);
    check_id(instance.id);
    check_name("workflow", instance.workflow);
    check_name("queue", instance.queue);
    check_payload("the arguments of workflow " + instance.workflow, instance.arguments);
    return instance;
}

[[noreturn]] void throw_already_exists(const std::string& id)
{
    throw error{
        errc::already_exists,
        "an active instance has the id \"" + id + "\": give another id, or get that instance"};
}

} // namespace

client::client(engine& on) : core_{std::make_shared<client_core>(on.core())} {}

asio::awaitable<untyped_instance> client::start_untyped(
    std::shared_ptr<client_core> core, std::string workflow, std::optional<std::string> id,
    std::optional<std::string> queue, payload arguments)
{
    store::new_instance instance = checked_instance(
        std::move(workflow), std::move(id), std::move(queue), std::move(arguments));
    const std::string given = instance.id;
    const store::created made = co_await core->start(std::move(instance));
    if (made.status == store::created::status::already_exists) throw_already_exists(given);
    if (made.status == store::created::status::rejected)
        throw_refused("the instance \"" + given + "\"", made.reason);
    co_return untyped_instance{core, given, made.instance};
}

asio::awaitable<untyped_instance> client::start_untyped_within(
    std::shared_ptr<client_core> core, pg::transaction* within, std::string workflow,
    std::optional<std::string> id, std::optional<std::string> queue, payload arguments)
{
    store::new_instance instance = checked_instance(
        std::move(workflow), std::move(id), std::move(queue), std::move(arguments));
    co_await core->engine().ready();
    const std::string given = instance.id;
    const std::optional<store::instance_key> made =
        co_await core->engine().store().create(within, std::move(instance));
    if (!made) throw_already_exists(given);
    co_return untyped_instance{core, given, made};
}

asio::awaitable<std::vector<store::instance_state>> client::list(store::list_request request) const
{
    return list_of(core_, std::move(request));
}

asio::awaitable<std::vector<store::instance_state>> client::list() const
{
    return list(store::list_request());
}

asio::awaitable<void> client::remove(std::string id) const
{
    return remove_id(core_, std::move(id));
}

asio::awaitable<store::statistics> client::statistics() const
{
    return statistics_of(core_);
}

untyped_instance::untyped_instance(
    std::shared_ptr<client_core> client, std::string id,
    std::optional<store::instance_key> instance)
    : client_{std::move(client)}, id_{std::move(id)}, instance_{instance}
{}

asio::awaitable<void> untyped_instance::signal(std::string name, payload value) const
{
    return send_signal(client_, id_, std::move(name), std::move(value));
}

asio::awaitable<void> untyped_instance::signal(
    pg::transaction& within, std::string name, payload value) const
{
    return send_signal_within(client_, &within, id_, std::move(name), std::move(value));
}

asio::awaitable<store::instance_state> untyped_instance::state() const
{
    return state_of(client_, id_, instance_);
}

asio::awaitable<void> untyped_instance::cancel() const
{
    return send_cancel(client_, id_);
}

asio::awaitable<void> untyped_instance::cancel(pg::transaction& within) const
{
    return send_cancel_within(client_, &within, id_);
}

asio::awaitable<std::vector<event>> untyped_instance::history(
    std::optional<std::int32_t> run, store::history_page page) const
{
    return history_of(client_, id_, instance_, run, page);
}

asio::awaitable<payload> untyped_instance::result_payload() const
{
    return result_of(client_, id_, instance_);
}

} // namespace perdure
