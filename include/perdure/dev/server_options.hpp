// How a private PostgreSQL is set up. Nothing has to be said: the defaults are right for tests and
// demos.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace perdure::dev {

/// What a `server` may be told before it is made.
class server_options
{
public:
    /// Keeps the data in `path` beyond the server's life; `initdb` runs only when it holds none
    /// yet. The directory is made if it is missing. It must be empty or hold the data of the same
    /// PostgreSQL version, and the user that the server runs as must be able to reach it. Default:
    /// a fresh directory that is removed at the end.
    server_options& data_directory(std::string path)
    {
        data_directory_ = std::move(path);
        return *this;
    }

    /// Takes `initdb` and `postgres` from `path`. Default: the newest of `/usr/lib/postgresql/<15
    /// or later>/bin`, else the first directory in `PATH` that has both.
    server_options& binary_directory(std::string path)
    {
        binary_directory_ = std::move(path);
        return *this;
    }

    /// Sets a parameter of the server (`name = value` in `postgresql.conf`). A later one wins, and
    /// any wins over the defaults, durability included.
    server_options& setting(std::string name, std::string value)
    {
        settings_.emplace_back(std::move(name), std::move(value));
        return *this;
    }

    /// How long the server may take to accept connections, or to stop. Default: 60 s.
    server_options& patience(std::chrono::milliseconds duration)
    {
        patience_ = duration;
        return *this;
    }

    /// As given; empty for a temporary directory.
    const std::string& data_directory() const noexcept { return data_directory_; }
    /// As given; empty to search.
    const std::string& binary_directory() const noexcept { return binary_directory_; }
    /// As given, in order.
    const std::vector<std::pair<std::string, std::string>>& settings() const noexcept
    {
        return settings_;
    }
    /// As given.
    std::chrono::milliseconds patience() const noexcept { return patience_; }

private:
    std::string data_directory_;
    std::string binary_directory_;
    std::vector<std::pair<std::string, std::string>> settings_;
    std::chrono::milliseconds patience_ = std::chrono::seconds{60};
};

} // namespace perdure::dev
