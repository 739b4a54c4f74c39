// What the tests of this layer share.
#pragma once

#include "../run.hpp"
#include "../server.hpp"

#include <perdure/pg/connection.hpp>
#include <perdure/pg/error.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <optional>
#include <string>

namespace perdure::test {

/// Options for the server of this test program.
inline pg::connection_options test_connection()
{
    return pg::connection_options{test_dsn()};
}

/// A connection to the server of this test program.
inline boost::asio::awaitable<pg::connection> connect()
{
    return pg::connection::connect(test_connection());
}

/// The error that `operation` ends with; the test fails when there is none.
template <class T>
boost::asio::awaitable<pg::error> failure_of(boost::asio::awaitable<T> operation)
{
    std::optional<pg::error> failure;
    try {
        co_await std::move(operation);
    } catch (const pg::error& e) {
        failure = e;
    }
    REQUIRE_MESSAGE(failure, "the operation succeeded");
    co_return *failure;
}

/// The error that `f` throws; the test fails when there is none.
inline pg::error failure_of(const std::function<void()>& f)
{
    std::optional<pg::error> failure;
    try {
        f();
    } catch (const pg::error& e) {
        failure = e;
    }
    REQUIRE_MESSAGE(failure, "nothing was thrown");
    return *failure;
}

inline bool contains(std::string_view text, std::string_view part)
{
    return text.find(part) != std::string_view::npos;
}

} // namespace perdure::test
