// The inside of a transaction.
#pragma once

#include <pg/session.hpp>

#include <perdure/pg/transaction.hpp>

#include <memory>

namespace perdure::pg {

class PERDURE_LOCAL transaction::state
{
public:
    /// `owner`: what gives the session back when the transaction has ended.
    state(std::shared_ptr<connection::session> s, std::shared_ptr<void> owner) noexcept;
    state(const state&) = delete;
    state& operator=(const state&) = delete;
    ~state();

    static boost::asio::awaitable<transaction> open(
        std::shared_ptr<connection::session> s, transaction_options options,
        std::shared_ptr<void> owner);

    bool is_open() const noexcept { return session_ && session_->in_transaction(); }

    /// The session of a transaction that is open.
    static connection::session::pointer session(const std::shared_ptr<state>& self);

    /// Gives the session back if the transaction has ended.
    void let_go() noexcept;

    bool rolled_back = false; ///< By its user's wish.

private:
    std::shared_ptr<void> owner_;
    connection::session::pointer session_; ///< Null once it was given back.
    std::chrono::steady_clock::duration response_timeout_;
};

} // namespace perdure::pg
