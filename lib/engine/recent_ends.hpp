// The instances that were heard of as ended, lately: whoever has just started one need not look
// whether it has ended already.
#pragma once

#include <perdure/store/identifiers.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace perdure {

/// Remembers what it is told, for a while. Does no I/O.
class recent_ends
{
public:
    /// Most ends that are remembered.
    static constexpr std::size_t most = 1'000;

    /// A point in what was heard.
    enum class mark : std::uint64_t
    {
    };

    /// Everything that is heard from here on comes behind it.
    mark now() const noexcept { return mark{first_ + ends_.size()}; }

    /// An instance has ended.
    void heard(store::instance_key instance)
    {
        ends_.push_back(instance);
        if (ends_.size() <= most) return;
        ends_.pop_front();
        ++first_;
    }

    /// Others may have ended without having been heard of.
    void missed() noexcept
    {
        first_ += ends_.size() + 1;
        ends_.clear();
    }

    /// False: this instance has not been heard of since then, and whatever was said was heard.
    bool may_hold(store::instance_key instance, mark since) const noexcept
    {
        const auto from = static_cast<std::uint64_t>(since);
        if (from < first_) return true;
        const auto begin = ends_.begin() + static_cast<std::ptrdiff_t>(from - first_);
        return std::find(begin, ends_.end(), instance) != ends_.end();
    }

private:
    std::deque<store::instance_key> ends_;
    std::uint64_t first_ = 0; // the point of the oldest
};

} // namespace perdure
