// Decides how a session is brought back whose operation was given up half way, or whether it must
// be dropped. A state machine without I/O: it says what to do, is told how that went, and says what
// to do next.
#pragma once

#include <string_view>

namespace perdure::pg {

/// What the server may still do on its own with what was sent to it.
enum class stake
{
    nothing,              ///< All was answered.
    open_transaction,     ///< Work inside a transaction whose COMMIT was not sent.
    implicit_transaction, ///< Statements that commit by themselves at their end.
    commit,               ///< COMMIT was sent, or may have been.
};

/// True if a statement may be what commits the transaction it is in: its first word, behind white
/// space, comments and empty statements, is COMMIT, END or PREPARE (TRANSACTION), in any case.
bool may_end_in_commit(std::string_view sql) noexcept;

/// The idea: what runs is cancelled and its answers are thrown away; then the transaction is rolled
/// back and the session reset. A cancellation is a signal to the server process, and that the
/// server confirmed sending it does not say that it has arrived: it could still hit the statement
/// of the next user. So after one the statements of the clean-up themselves are the proof.
/// Whichever of them it hits is sent again, once; one that runs to its end after the signal was
/// sent can only do so when the signal is spent.
class salvage
{
public:
    enum class action
    {
        wait_briefly, ///< Receive what is due for a moment: it may be nearly over.
        cancel,       ///< Ask the server, over another connection, to cancel what runs.
        drain,        ///< Receive what is due to its end.
        roll_back,    ///< End the transaction, if one is open.
        reset,        ///< Forget all that the session set up: settings, locks, prepared statements.
        keep,         ///< It is as good as new.
        drop,         ///< Close it.
    };

    enum class outcome
    {
        done,
        not_yet,   ///< It did not end within the moment it was given.
        cancelled, ///< The server answered that the statement was cancelled.
        failed,    ///< Anything else.
    };

    /// `at_stake`: of the operation that was given up.
    explicit salvage(stake at_stake) noexcept : stake_{at_stake} {}

    /// What to do first.
    action begin() noexcept;

    /// What to do after `next` ended like this. Not to be called after keep or drop.
    action resume(outcome last) noexcept;

private:
    action go(action next) noexcept { return doing_ = next; }

    stake stake_;
    action doing_ = action::drop;
    bool signal_under_way_ = false; ///< A cancellation was sent and has not been seen to hit.
};

} // namespace perdure::pg
