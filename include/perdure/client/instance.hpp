// A handle on one id's life: signal it, look at it, await its result.
#pragma once

#include <perdure/config.hpp>
#include <perdure/store/types.hpp>
#include <perdure/workflow/argument.hpp>
#include <perdure/workflow/encode.hpp>
#include <perdure/workflow/signal.hpp>

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace perdure {

namespace pg {
class transaction;
}

class client_core;

/// An instance whose result type is not known here, as tools see it. Cheap to copy.
///
/// Operations report everything that is wrong when they are awaited, never when they are called. On
/// an empty handle (made by default) they fail with `errc::invalid_argument`.
///
/// Handles keep what they need of the engine alive, but not the engine: once that is destroyed
/// their operations fail. All operations run on the engine's executor.
class PERDURE_DECL untyped_instance
{
public:
    /// An empty handle, to be assigned to.
    untyped_instance() = default;

    /// For the library; see `client::get`.
    untyped_instance(
        std::shared_ptr<client_core> client, std::string id,
        std::optional<store::instance_key> instance = {});

    /// The instance's id.
    const std::string& id() const noexcept { return id_; }

    /// Sends a signal by name. It is delivered exactly once, in the order of the calls that were
    /// awaited one after the other; when this returns it is durable and the instance's worker has
    /// been woken.
    ///
    /// Of a handle from `client::get` the signal goes to whichever instance of the id is active; of
    /// one from `client::start` likewise, since an id has at most one.
    ///
    /// Cancellation: the caller no longer waits, but the signal may still be delivered.
    /// \throws error `errc::not_found`: no active instance has the id; `errc::invalid_argument`,
    ///         `errc::malformed_payload`, `errc::payload_too_large`: the name or the value is not
    ///         allowed.
    /// \throws pg::error the database could not be reached; whether the signal was delivered is
    ///     then not known only if its code is `pg::errc::commit_unknown`.
    boost::asio::awaitable<void> signal(std::string name, payload value) const;

    /// Sends a signal in your own transaction: when that is committed a worker delivers it, once;
    /// otherwise nothing of it remains. Nobody waits for the transaction, however long it stays
    /// open. Signals of one transaction to one instance arrive in the order of the calls.
    ///
    /// If the instance ends before the transaction does, the signal is dropped and the worker's
    /// logger told; as above it goes to whichever instance of the id is active then.
    ///
    /// No error but pg::error ends the transaction. Cancellation: the transaction is ended, as by
    /// any statement of it that is cancelled.
    /// \param within of any session in the same database; must stay where it is until this returns.
    /// \throws error as above: `errc::not_found` when the transaction sees no active instance.
    /// \throws pg::error the schema is not right, or what a statement of the transaction throws.
    boost::asio::awaitable<void> signal(
        pg::transaction& within, std::string name, payload value) const;

    /// What is known of the instance: of the handle's own, or of the id's latest.
    /// \throws error `errc::not_found`: there never was one, or it was removed. \throws pg::error
    boost::asio::awaitable<store::instance_state> state() const;

    /// Asks the instance to end. Its workflow's next unshielded await, the one it is parked in
    /// included, throws `perdure::cancelled`; what it does then is up to its code. When this
    /// returns the request is durable and the instance's worker has been woken; the instance may
    /// go on for a while, or, if its code says so, for good. Asking twice is as good as once.
    ///
    /// It goes to whichever instance of the id is active, as a signal does.
    ///
    /// Cancellation of this wait: the request may still be delivered.
    /// \throws error `errc::not_found`: no active instance has the id. \throws pg::error
    boost::asio::awaitable<void> cancel() const;

    /// Asks the instance to end in your own transaction; the request is delivered as a signal's is.
    /// \param within as `signal`.
    /// \throws error `errc::not_found`. \throws pg::error. Both as `signal`.
    boost::asio::awaitable<void> cancel(pg::transaction& within) const;

    /// The events of one run, of the latest when none is given, oldest first; empty when there is
    /// no such run.
    /// \param page which part of them; all of a long history can be 50 MiB. A part that is shorter
    ///     than its limit is the last so far.
    /// \throws error `errc::not_found`; `errc::invalid_argument`: a page that cannot be.
    /// \throws pg::error
    boost::asio::awaitable<std::vector<event>> history(
        std::optional<std::int32_t> run = {}, store::history_page page = {}) const;

    /// Waits for the end of the instance's last run and returns its result's payload. It is woken
    /// by a notification; while none arrive it looks at the engine's poll interval. Once it has
    /// begun to wait, an unreachable database is waited out.
    ///
    /// Cancellation: stops waiting; the instance is not touched.
    /// \throws workflow_failed the instance failed. \throws cancelled it ended by its cancellation.
    /// \throws error `errc::not_found`: there is no such instance, or it was removed, be it while
    ///     it was waited for. \throws pg::error
    boost::asio::awaitable<payload> result_payload() const;

private:
    std::shared_ptr<client_core> client_;
    std::string id_;
    std::optional<store::instance_key> instance_;
};

/// An instance of a workflow that returns R.
template <class R>
class instance : public untyped_instance
{
public:
    using untyped_instance::untyped_instance;
    instance() = default;
    explicit instance(untyped_instance untyped) : untyped_instance{std::move(untyped)} {}

    /// Sends a signal; see `untyped_instance::signal`.
    template <fixed_string Name, class T>
    boost::asio::awaitable<void> signal(
        const perdure::signal<Name, T>& definition, arg<std::type_identity_t<T>> value) const
    {
        return send(*this, definition, std::move(value));
    }

    /// Sends a signal without a value; see `untyped_instance::signal`.
    template <fixed_string Name>
    boost::asio::awaitable<void> signal(const perdure::signal<Name>& definition) const
    {
        return untyped_instance::signal(std::string{definition.name()}, definition().data());
    }

    /// Sends a signal in your own transaction; see `untyped_instance::signal`.
    template <fixed_string Name, class T>
    boost::asio::awaitable<void> signal(
        pg::transaction& within, const perdure::signal<Name, T>& definition,
        arg<std::type_identity_t<T>> value) const
    {
        return send_within(*this, &within, definition, std::move(value));
    }

    /// Sends a signal without a value in your own transaction; see `untyped_instance::signal`.
    template <fixed_string Name>
    boost::asio::awaitable<void> signal(
        pg::transaction& within, const perdure::signal<Name>& definition) const
    {
        return untyped_instance::signal(
            within, std::string{definition.name()}, definition().data());
    }

    /// Waits for the result; see `untyped_instance::result_payload`.
    /// \throws workflow_failed the instance failed: `failed_as` gives a declared failure's fields.
    /// \throws cancelled it ended by its cancellation.
    /// \throws error `errc::not_found`; `errc::malformed_payload`: the result is not an R.
    /// \throws pg::error
    boost::asio::awaitable<R> result() const { return result_of(*this); }

private:
    /// The handle by value: the caller's may be gone before this begins.
    template <fixed_string Name, class T>
    static boost::asio::awaitable<void> send(
        instance self, perdure::signal<Name, T> definition, arg<std::type_identity_t<T>> value)
    {
        const signal_call call = definition(std::move(value));
        co_await self.untyped_instance::signal(call.name(), call.data());
    }

    template <fixed_string Name, class T>
    static boost::asio::awaitable<void> send_within(
        instance self, pg::transaction* within, perdure::signal<Name, T> definition,
        arg<std::type_identity_t<T>> value)
    {
        const signal_call call = definition(std::move(value));
        co_await self.untyped_instance::signal(*within, call.name(), call.data());
    }

    static boost::asio::awaitable<R> result_of(instance self)
    {
        const payload value = co_await self.result_payload();
        if constexpr (!std::is_void_v<R>) {
            R decoded = decode<R>(value);
            co_return decoded;
        }
    }
};

} // namespace perdure
