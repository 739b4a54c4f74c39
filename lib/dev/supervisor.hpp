// The owner's side of the supervisor.
#pragma once

#include <dev/supervisor_process.hpp>

#include <perdure/dev/server.hpp>

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace perdure::dev {

/// What a supervisor is to run.
struct supervisor_plan
{
    std::vector<std::string> initdb;
    std::vector<std::string> postgres;
    std::string directory; ///< the temporary directory, removed at the end
    std::string log;
    bool drop_privileges = false;
    uid_t uid = 0;
    gid_t gid = 0;
    bool data_is_temporary = true;
};

/// A running supervisor. All functions throw `error` (`supervisor_failed`) when it is gone.
class supervisor
{
public:
    explicit supervisor(const supervisor_plan& plan);
    supervisor(const supervisor&) = delete;
    supervisor& operator=(const supervisor&) = delete;

    /// Has it end what runs and remove the directory, and waits for that.
    ~supervisor();

    /// \returns initdb's wait status.
    /// \throws error also `initialization_failed` when it has not ended after `patience`.
    int initialize(std::chrono::milliseconds patience);

    /// \returns the server's process.
    pid_t start();

    /// \throws error also `stop_failed` when the server is not gone after `patience`.
    void stop(stop_mode mode, std::chrono::milliseconds patience);

    /// \returns the server's process, 0 when there is none.
    pid_t running();

private:
    /// No answer in time: nothing.
    std::optional<supervisor_answer> ask(supervisor_task task, std::chrono::milliseconds patience);

    int control_ = -1;
    pid_t process_ = 0;
    int requests_ = 0;
};

} // namespace perdure::dev
