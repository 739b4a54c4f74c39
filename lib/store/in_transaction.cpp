// What the store does in somebody else's transaction. It must neither fail for what is to be
// expected, since an error ends that transaction, nor lock what others wait for.
#include <perdure/store/store.hpp>

#include <store/store_core.hpp>

#include <perdure/workflow/event.hpp>

#include <utility>

namespace perdure::store {

namespace asio = boost::asio;

namespace {

asio::awaitable<bool> append_request(
    store_core& core, pg::transaction* within, std::string id, event_type type, std::string name,
    payload data)
{
    const pg::result answer =
        co_await within->execute(core.sql.append_request, id, to_string(type), name, data.span());
    co_return answer.get<bool>(0, 0);
}

} // namespace

asio::awaitable<std::optional<instance_key>> store::create(
    pg::transaction* within, new_instance instance)
{
    const pg::result answer = co_await within->execute(
        core_->sql.create_in_transaction, instance.id, instance.workflow, instance.queue,
        instance.arguments.span(), instance.start_key);
    co_return answer.get<std::optional<instance_key>>(0, 0);
}

asio::awaitable<bool> store::signal(pg::transaction* within, signal_request signal)
{
    return append_request(
        *core_, within, std::move(signal.id), event_type::signal_received, std::move(signal.name),
        std::move(signal.data));
}

asio::awaitable<bool> store::cancel(pg::transaction* within, cancel_request request)
{
    return append_request(
        *core_, within, std::move(request.id), event_type::cancel_requested, {},
        payload::from_text("null"));
}

} // namespace perdure::store
