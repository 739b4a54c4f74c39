// The supervisor's own side: the process that holds a server and outlives its owner by as long as
// it takes to clean up.
//
// It is forked from a process that may have threads and is never exec'ed, so everything in it is
// async-signal-safe: no allocation, no locks, no streams. All it needs is prepared before the fork.
#pragma once

#include <sys/types.h>

namespace perdure::dev {

/// A program, ready for execve.
struct program
{
    char* const* arguments = nullptr; ///< null-terminated, the first one is the path
};

/// All that a supervisor knows. Its pointers stay valid because they are the owner's memory, copied
/// by fork.
struct supervisor_orders
{
    program initdb;
    program postgres;
    program removal; ///< removes the temporary directory
    char* const* environment = nullptr;
    const char* log = nullptr; ///< where the output of everything goes
    bool drop_privileges = false;
    uid_t uid = 0; ///< whom to drop to
    gid_t gid = 0;
    bool data_is_temporary = true;
};

/// What the owner asks.
enum class supervisor_task : int
{
    initialize, ///< run initdb; answered when it has ended
    start,      ///< start the server; answered at once
    stop_fast,  ///< stop it; answered when it is gone
    stop_immediate,
    look ///< is it running? answered at once
};

/// A question; the answer has the same number.
struct supervisor_request
{
    supervisor_task task{};
    int number = 0;
};

/// What the owner is told.
struct supervisor_answer
{
    int number = 0;
    pid_t pid = 0;  ///< the server's, 0 when it is not running
    int status = 0; ///< of the child that ended last, as waitpid gives it
};

/// Runs the supervisor in a freshly forked process with all signals blocked, until the owner closes
/// `control` or ends, and never returns.
/// \param control one end of a SOCK_SEQPACKET pair.
/// \param owner a pidfd of the owner, or -1: then only the closing of `control` is noticed.
[[noreturn]] void run_supervisor(const supervisor_orders& orders, int control, int owner) noexcept;

} // namespace perdure::dev
