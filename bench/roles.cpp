#include "roles.hpp"

#include <cstdio>
#include <exception>
#include <map>
#include <stdexcept>
#include <utility>

namespace bench {

namespace {

constexpr const char* worker_name = "worker";
constexpr const char* client_name = "client";
constexpr const char* bare_name = "bare";

} // namespace

std::vector<std::string> role_setup::arguments(const std::string& role) const
{
    return {
        role,
        "dsn=" + dsn,
        "announces=" + std::to_string(static_cast<int>(announces)),
        "poll=" + std::to_string(poll.count()),
        "pool=" + std::to_string(pool),
        "queue=" + queue,
        "activity_slots=" + std::to_string(activity_slots),
        "lease=" + std::to_string(lease.count())};
}

role_setup role_setup::parse(const std::vector<std::string>& arguments)
{
    std::map<std::string, std::string> given;
    for (const std::string& each : arguments) {
        const std::size_t equals = each.find('=');
        if (equals == each.npos) throw std::runtime_error{"a role was told \"" + each + "\""};
        given[each.substr(0, equals)] = each.substr(equals + 1);
    }
    role_setup setup;
    setup.dsn = given.at("dsn");
    setup.announces = static_cast<notification>(std::stoi(given.at("announces")));
    setup.poll = std::chrono::milliseconds{std::stoi(given.at("poll"))};
    setup.pool = std::stoi(given.at("pool"));
    setup.queue = given.at("queue");
    setup.activity_slots = std::stoi(given.at("activity_slots"));
    setup.lease = std::chrono::milliseconds{std::stoi(given.at("lease"))};
    return setup;
}

perdure::engine_options role_setup::engine() const
{
    perdure::engine_options options;
    options.pool_size(static_cast<std::size_t>(pool));
    options.poll_interval(poll);
    options.log(perdure::stderr_logger(perdure::log_level::error));
    options.notifications(announces);
    return options;
}

process start_worker(const role_setup& setup)
{
    return process{setup.arguments(worker_name)};
}

process start_client(const role_setup& setup)
{
    return process{setup.arguments(client_name)};
}

process start_bare(const std::string& dsn)
{
    role_setup setup;
    setup.dsn = dsn;
    return process{setup.arguments(bare_name)};
}

bool is_role(const std::string& name)
{
    return name == worker_name || name == client_name || name == bare_name;
}

int play(const std::string& role, const std::vector<std::string>& arguments)
{
    try {
        const role_setup setup = role_setup::parse(arguments);
        if (role == worker_name) return play_worker(setup);
        if (role == client_name) return play_client(setup);
        return play_bare(setup);
    } catch (const std::exception& failure) { // an answer that is not a number is an error's words
        std::string words = failure.what();
        for (char& each : words)
            if (each == '\n') each = ' ';
        std::printf("%s\n", words.c_str());
        return 1;
    }
}

} // namespace bench
