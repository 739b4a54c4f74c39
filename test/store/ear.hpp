// What is announced on an installation's channel.
#pragma once

#include "workbench.hpp"

#include <perdure/store/announcement.hpp>

#include <chrono>
#include <stdexcept>
#include <vector>

namespace perdure::store {

/// A session that listens to an installation's channel.
class ear
{
public:
    ear(const installation& on, workbench& bench)
        : bench_{bench}, session_{bench.wait(pg::connection::connect(on.options()))}
    {
        const pg::statement listen = on.sql("listen {schema}");
        bench_.wait(session_.execute(listen));
    }

    /// What is heard until a marker comes that is sent now: all that was sent before.
    std::vector<announcement> heard()
    {
        return bench_.run([this]() -> asio::awaitable<std::vector<announcement>> {
            const pg::statement mark{"select pg_notify(pg_listening_channels(), 'mark')"};
            co_await session_.execute(mark);
            std::vector<announcement> all;
            for (;;) {
                const auto arrived = co_await session_.wait_notifications(
                    std::chrono::steady_clock::now() + test::deadline);
                if (arrived.empty()) throw std::runtime_error{"nothing was heard"};
                for (const pg::notification& each : arrived) {
                    if (each.payload == "mark") co_return all;
                    const auto read = decode_announcement(each.payload);
                    if (!read) throw std::runtime_error{"not an announcement: " + each.payload};
                    all.push_back(*read);
                }
            }
        });
    }

private:
    workbench& bench_;
    pg::connection session_;
};

} // namespace perdure::store
