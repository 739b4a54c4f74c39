// Slots bound what a poller claims: it asks for free ones before it claims, and every claimed task
// holds one.
#pragma once

#include <engine/wake_flag.hpp>

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace perdure {

/// A counted set of slots with one waiter, shared by its poller and the tasks that hold a slot.
class slots : public std::enable_shared_from_this<slots>
{
public:
    slots(boost::asio::any_io_executor executor, std::size_t count)
        : count_{count}, freed_{std::move(executor)}
    {}

    /// Holds one slot until it is destroyed.
    class slot
    {
    public:
        slot() = default;
        explicit slot(std::shared_ptr<slots> of) : of_{std::move(of)} { ++of_->used_; }
        slot(slot&& other) noexcept = default;
        slot& operator=(slot&& other) noexcept
        {
            std::swap(of_, other.of_);
            return *this;
        }
        ~slot()
        {
            if (!of_) return;
            --of_->used_;
            of_->freed_.raise();
            if (of_->on_free_) of_->on_free_();
        }

    private:
        std::shared_ptr<slots> of_;
    };

    /// Called whenever a slot was freed.
    void on_free(std::function<void()> handler) { on_free_ = std::move(handler); }

    slot take() { return slot{shared_from_this()}; }
    std::size_t used() const noexcept { return used_; }
    std::size_t free() const noexcept { return used_ < count_ ? count_ - used_ : 0; }

    /// Waits for a slot to be free, or for `interrupt()`.
    boost::asio::awaitable<void> wait_for_free()
    {
        freed_.clear();
        if (free() == 0) co_await freed_.wait_until(wake_flag::time_point::max());
    }

    void interrupt() { freed_.raise(); }

private:
    std::size_t count_;
    std::size_t used_ = 0;
    wake_flag freed_;
    std::function<void()> on_free_;
};

} // namespace perdure
