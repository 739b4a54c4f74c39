#include <perdure/client/client.hpp>

#include <client/client_core.hpp>

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

asio::awaitable<store::instance_state> state_of(
    std::shared_ptr<client_core> client, std::string id,
    std::optional<store::instance_key> instance)
{
    co_await client->engine().ready();
    std::optional<store::instance_state> found;
    if (instance)
        found = co_await client->engine().store().state(*instance);
    else
        found = co_await client->engine().store().state(id);
    if (!found) throw_not_found(id, "instance");
    co_return std::move(*found);
}

asio::awaitable<void> send_signal(
    std::shared_ptr<client_core> client, store::signal_request request)
{
    const std::string id = request.id;
    const store::signalled outcome = co_await client->signal(std::move(request));
    if (outcome.status == store::signal_status::not_found) throw_not_found(id, "active instance");
}

asio::awaitable<std::vector<event>> history_of(
    std::shared_ptr<client_core> client, std::string id,
    std::optional<store::instance_key> instance, std::optional<std::int32_t> run)
{
    const store::instance_state state = co_await state_of(client, std::move(id), instance);
    co_return co_await client->engine().store().load_history(
        state.instance, run.value_or(state.run));
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
    if (!instance) {
        const store::instance_state state = co_await state_of(client, id, instance);
        instance = state.instance;
    }
    const store::instance_result result = co_await client->wait_for_result(*instance);
    if (result.kind == finish::kind::failed) {
        const store::instance_state state = co_await state_of(client, id, instance);
        throw workflow_failed{state.workflow, id, decode_failure(result.data)};
    }
    co_return result.data;
}

} // namespace

client::client(engine& on) : core_{std::make_shared<client_core>(on.core())} {}

asio::awaitable<untyped_instance> client::start_untyped(
    std::shared_ptr<client_core> core, std::string workflow, std::optional<std::string> id,
    std::optional<std::string> queue, payload arguments)
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
    const std::string given = instance.id;
    const store::created made = co_await core->start(std::move(instance));
    if (made.status == store::created::status::already_exists)
        throw error{
            errc::already_exists, "an active instance has the id \"" + given +
                                      "\": give another id, or get that instance"};
    co_return untyped_instance{core, given, made.instance};
}

asio::awaitable<std::vector<store::instance_state>> client::list(store::list_request request) const
{
    return list_of(core_, std::move(request));
}

untyped_instance::untyped_instance(
    std::shared_ptr<client_core> client, std::string id,
    std::optional<store::instance_key> instance)
    : client_{std::move(client)}, id_{std::move(id)}, instance_{instance}
{}

asio::awaitable<void> untyped_instance::signal(std::string name, payload value) const
{
    store::signal_request request;
    request.key = draw_key();
    request.id = id_;
    request.name = std::move(name);
    request.data = std::move(value);
    check_id(request.id);
    check_name("signal", request.name);
    check_payload("the value of signal " + request.name, request.data);
    check_json("the value of signal " + request.name, request.data);
    return send_signal(client_, std::move(request));
}

asio::awaitable<store::instance_state> untyped_instance::state() const
{
    check_id(id_);
    return state_of(client_, id_, instance_);
}

asio::awaitable<std::vector<event>> untyped_instance::history(std::optional<std::int32_t> run) const
{
    check_id(id_);
    return history_of(client_, id_, instance_, run);
}

asio::awaitable<payload> untyped_instance::result_payload() const
{
    check_id(id_);
    return result_of(client_, id_, instance_);
}

} // namespace perdure
