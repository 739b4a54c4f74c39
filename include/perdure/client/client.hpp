// The client: starts instances and finds them again.
#pragma once

#include <perdure/client/instance.hpp>
#include <perdure/config.hpp>
#include <perdure/engine/engine.hpp>
#include <perdure/pg/transaction.hpp>
#include <perdure/store/types.hpp>
#include <perdure/workflow/workflow.hpp>

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace perdure {

/// Starts, finds and lists instances. Cheap to copy; copies share everything.
///
/// From the first result that is awaited until the last copy and the last handle are destroyed, the
/// engine's listener runs for it, which keeps the execution context busy. A program that ends when
/// its work is done makes its client inside its main coroutine.
///
/// Thread safety and lifetime: as the engine's.
class PERDURE_DECL client
{
public:
    explicit client(engine& on);

    /// Starts an instance. When this returns it is durable. Workers are told along with the commit,
    /// or at most 2 ms later while a process starts many, or 10 ms later when a worker of the same
    /// engine has room, which takes it most likely; or along with one of the next commits, while
    /// commits have to wait for each other. A program that ends when its execution context has
    /// nothing left to do has told them.
    ///
    /// Starts that are under way at the same time share transactions. If the connection breaks
    /// while a start is being committed, it is asked again under the same key, so that it happens
    /// once.
    ///
    /// Cancellation: the caller no longer waits, but the instance may still be started.
    /// \param call a call of a workflow's definition: `shop::checkout(order).id("checkout-17")`.
    ///     Without an id a random one is drawn.
    /// \returns a handle on the new instance.
    /// \throws error
    ///     - `errc::already_exists`: an active instance has the id;
    ///     - `errc::invalid_argument`, `errc::payload_too_large`, `errc::malformed_payload`: the
    ///       id, a name or the arguments are not allowed. Nothing is written then.
    /// \throws pg::error the connection string, the server or the schema is not right, or the
    ///     server refused this instance (and nobody else's).
    template <class R>
    boost::asio::awaitable<instance<R>> start(workflow_call<R> call) const
    {
        return start_typed(core_, std::move(call));
    }

    /// Starts an instance in your own transaction: it exists if that is committed, and workers are
    /// woken then; otherwise nothing of it remains. Nobody but another start of the same id waits
    /// for the transaction, however long it stays open. Signal the instance in the same transaction,
    /// or when that is committed; await its result only then.
    ///
    /// No error but pg::error ends the transaction.
    ///
    /// Cancellation: the transaction is ended, as by any statement of it that is cancelled.
    /// \param within of any session in the same database; must stay where it is until this returns.
    /// \param call as above.
    /// \returns a handle on the new instance.
    /// \throws error as above: `errc::already_exists` when an active instance, or one that was
    ///     started in this transaction, has the id.
    /// \throws pg::error the schema is not right, or what a statement of the transaction throws.
    template <class R>
    boost::asio::awaitable<instance<R>> start(pg::transaction& within, workflow_call<R> call) const
    {
        return start_typed_within(core_, &within, std::move(call));
    }

    /// A handle on the instance of a workflow by its id; asks nothing yet.
    template <fixed_string Name, class R, class... P>
    instance<R> get(const workflow<Name, R(P...)>&, std::string id) const
    {
        return instance<R>{core_, std::move(id)};
    }

    /// A handle on whatever has the id, for tools.
    untyped_instance get(std::string id) const { return untyped_instance{core_, std::move(id)}; }

    /// A handle on exactly the instance that was listed, also when its id was used again.
    untyped_instance get(const store::instance_state& listed) const
    {
        return untyped_instance{core_, listed.id, listed.instance};
    }

    /// Removes every finished instance of the id, with its history, for good. Whoever waits for its
    /// result is told `errc::not_found`.
    ///
    /// Cancellation: some of them may be removed.
    /// \throws error
    ///     - `errc::not_found`: there is none;
    ///     - `errc::not_finished`: an instance of the id is active, or an activity of a finished
    ///       one still runs (it was told to stop). Nothing was removed.
    /// \throws pg::error
    boost::asio::awaitable<void> remove(std::string id) const;

    /// Counts active instances and, by queue, pending tasks. Takes time in proportion to these, not
    /// to what is finished: for people and dashboards, not for every request. \throws pg::error
    boost::asio::awaitable<store::statistics> statistics() const;

    /// Lists instances, the latest first. \throws pg::error
    boost::asio::awaitable<std::vector<store::instance_state>> list(
        store::list_request request) const;

    /// Lists the latest hundred instances, the latest first. \throws pg::error
    boost::asio::awaitable<std::vector<store::instance_state>> list() const;

private:
    /// The inside by value: the client may be gone before this begins.
    template <class R>
    static boost::asio::awaitable<instance<R>> start_typed(
        std::shared_ptr<client_core> core, workflow_call<R> call)
    {
        untyped_instance started = co_await start_untyped(
            core, std::string{call.name()}, call.id(), call.queue(), call.arguments());
        co_return instance<R>{std::move(started)};
    }

    template <class R>
    static boost::asio::awaitable<instance<R>> start_typed_within(
        std::shared_ptr<client_core> core, pg::transaction* within, workflow_call<R> call)
    {
        untyped_instance started = co_await start_untyped_within(
            core, within, std::string{call.name()}, call.id(), call.queue(), call.arguments());
        co_return instance<R>{std::move(started)};
    }

    static boost::asio::awaitable<untyped_instance> start_untyped_within(
        std::shared_ptr<client_core> core, pg::transaction* within, std::string workflow,
        std::optional<std::string> id, std::optional<std::string> queue, payload arguments);

    static boost::asio::awaitable<untyped_instance> start_untyped(
        std::shared_ptr<client_core> core, std::string workflow, std::optional<std::string> id,
        std::optional<std::string> queue, payload arguments);

    std::shared_ptr<client_core> core_;
};

} // namespace perdure
