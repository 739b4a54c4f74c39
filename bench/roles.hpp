// The roles in which this program is started again: a worker, a client, and bare libpq as the floor
// under both.
#pragma once

#include "process.hpp"

#include <perdure/engine/engine.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace bench {

using notification = perdure::notification_mode;

class role_setup
{
public:
    std::string dsn;
    notification announces = notification::coalesced;
    std::chrono::milliseconds poll{500};
    int pool = 4;
    std::string queue = "default";
    int activity_slots = 1000;
    std::chrono::milliseconds lease{10000};

    role_setup& announce(notification mode)
    {
        announces = mode;
        return *this;
    }
    role_setup& poll_every(std::chrono::milliseconds interval)
    {
        poll = interval;
        return *this;
    }
    role_setup& on_queue(std::string name)
    {
        queue = std::move(name);
        return *this;
    }

    std::vector<std::string> arguments(const std::string& role) const;
    /// \param arguments as `arguments` gave them.
    static role_setup parse(const std::vector<std::string>& arguments);

    perdure::engine_options engine() const;
};

/// Runs one-step, hold, nap and sleeper on its queue.
///
///   take          microseconds from a start to its activity's first line, or of a timer's lateness,
///                 of all since the last take
///   instants      nanoseconds of the steady clock at which activities ran
process start_worker(const role_setup& setup);

/// Starts instances on its queue.
///
///   loop <n> <pause us> <jitter us> <limit s>   one after the other, to the result: microseconds each
///   rate <per second> <seconds>                 in an open loop; answers how many, and how many failed
///   insert <seconds>                            one after the other, no result: how many, and seconds
///   hold <n> | nap <n> <longest ms> | sleeper   starts such instances
process start_client(const role_setup& setup);

/// Two sessions of bare libpq, one after the other as fast as it goes.
///
///   wake <n> <pause us> <limit s>     what a start and its activity cannot do without
///   notify <n> <pause us> <limit s>   NOTIFY to LISTEN
///   commit <n> <pause us> <limit s>   one durable row
///   listen                            hears what the engines announce, for ever
process start_bare(const std::string& dsn);

/// Whether a program's first argument is a role.
bool is_role(const std::string& name);
/// Plays the role until the parent has gone.
int play(const std::string& role, const std::vector<std::string>& arguments);

int play_worker(const role_setup& setup);
int play_client(const role_setup& setup);
int play_bare(const role_setup& setup);

} // namespace bench
