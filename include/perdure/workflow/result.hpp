// A value or the failure that came instead of it.
#pragma once

#include <perdure/workflow/failed.hpp>

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace perdure {

/// The outcome of an operation as a value: what `.as_result()` makes of an exception, because C++
/// has no co_await in a catch block.
///
///     auto shipped = co_await ctx.run(shop::ship(order)).as_result();
///     if (!shipped) co_await ctx.run(shop::refund(payment));
template <class T>
class result
{
    using stored_type = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

public:
    using value_type = T;

    /// A value.
    explicit result(stored_type value) : value_(std::move(value)) {}

    /// A failure; not null.
    explicit result(std::shared_ptr<const failed> failure) noexcept : failure_(std::move(failure))
    {}

    /// Whether there is a value.
    explicit operator bool() const noexcept { return failure_ == nullptr; }
    bool has_value() const noexcept { return failure_ == nullptr; }

    /// The value.
    /// \throws the failure, as the operation would have thrown it, when there is none.
    std::add_lvalue_reference_t<std::add_const_t<T>> value() const&
    {
        if (failure_) failure_->raise();
        if constexpr (!std::is_void_v<T>) return *value_;
    }

    /// The value, moved out.
    T value() &&
    {
        if (failure_) failure_->raise();
        if constexpr (!std::is_void_v<T>) return std::move(*value_);
    }

    /// The value; there must be one.
    const stored_type& operator*() const& noexcept { return *value_; }
    stored_type&& operator*() && noexcept { return std::move(*value_); }
    const stored_type* operator->() const noexcept { return &*value_; }

    /// The failure; there must be one. Valid as long as this result or a copy of it.
    const failed& failure() const noexcept { return *failure_; }

    /// Whether this is a failure that was declared as `definition`, or was caused by one.
    template <class Definition>
    bool failed_with(const Definition& definition) const noexcept
    {
        return failure_ && failure_->is(definition);
    }

    /// The fields of a failure that was declared as `definition`.
    /// \returns nothing when this is a value or another failure.
    /// \throws error errc::malformed_payload when the recorded fields are not those of the
    /// definition.
    template <class Definition>
    std::optional<typename Definition::details_type> failed_as(const Definition& definition) const
    {
        if (!failure_) return std::nullopt;
        return failure_->failed_as(definition);
    }

private:
    std::optional<stored_type> value_;
    std::shared_ptr<const failed> failure_;
};

} // namespace perdure
