// Another process of an installation: on a thread of its own, so that it works while the test's own
// process does.
#pragma once

#include "acceptance/installation.hpp"

#include <atomic>
#include <functional>
#include <thread>

namespace perdure::test {

/// Its workers run until it is destroyed.
class elsewhere
{
public:
    /// \param employ adds workers to it.
    elsewhere(const installation& on, const std::function<void(process&)>& employ)
        : process_{on, test_dsn(), patient(on)}
    {
        employ(process_);
        thread_ = std::thread{[this] {
            process_.start_all();
            process_.run([this] {
                return wait_until([this] { return leave_.load(); }, std::chrono::minutes{10});
            });
            process_.stop();
        }};
    }

    elsewhere(const elsewhere&) = delete;
    elsewhere& operator=(const elsewhere&) = delete;

    ~elsewhere()
    {
        leave_ = true;
        thread_.join();
    }

private:
    process process_;
    std::atomic<bool> leave_ = false;
    std::thread thread_;
};

} // namespace perdure::test
