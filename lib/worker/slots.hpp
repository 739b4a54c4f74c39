// Slots bound what a poller claims: it asks for free ones before it claims, and every claimed task
// holds one.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace perdure {

/// A counted set of slots, shared by its poller and the tasks that hold a slot.
class slots : public std::enable_shared_from_this<slots>
{
public:
    explicit slots(std::size_t count) : count_{count} {}

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
    std::size_t half() const noexcept { return count_ / 2; }
    /// How many may be taken until half of them are.
    std::size_t free_of_half() const noexcept { return used_ < half() ? half() - used_ : 0; }

private:
    std::size_t count_;
    std::size_t used_ = 0;
    std::function<void()> on_free_;
};

} // namespace perdure
