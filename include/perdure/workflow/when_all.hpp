// Waiting for several things at once.
#pragma once

#include <perdure/workflow/detail/adapted.hpp>
#include <perdure/workflow/detail/group_wait.hpp>
#include <perdure/workflow/detail/task_promise.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace perdure {

/// What \ref when_all gives: to be awaited, once.
///
/// \tparam Operands a std::tuple or a std::vector of what is waited for.
template <class Operands>
class [[nodiscard("when_all does nothing until it is awaited: co_await it")]] all_of
{
public:
    /// For the library.
    explicit all_of(Operands operands) : operands_(std::move(operands)) {}

    /// The same, the first failure as a value: awaiting it gives perdure::result. An exception that
    /// is not derived from \ref failed becomes an \ref application_failure that describes it.
    auto as_result() && { return detail::caught<all_of>(std::move(*this)); }

    /// The same, awaited for so long at most: awaiting it gives an optional, which is empty when
    /// the time ran out first. Then all that is not complete is cancelled, as after a failure.
    auto within(std::chrono::microseconds limit) &&
    {
        return detail::limited<all_of>(std::move(*this), limit);
    }

    auto operator co_await() && { return detail::wait_for<all_of>(std::move(*this)); }

    /// For the library.
    Operands&& operands() && noexcept { return std::move(operands_); }

private:
    Operands operands_;
};

namespace detail {

template <class Operands>
class all_awaiter;

template <class... Operands>
class all_awaiter<std::tuple<Operands...>> : public all_wait
{
    using indexes = std::index_sequence_for<Operands...>;

public:
    using value_type = std::tuple<stored<typename wait_for<Operands>::value_type>...>;

    explicit all_awaiter(all_of<std::tuple<Operands...>>&& from)
        : all_awaiter(std::move(from).operands(), indexes())
    {}

    value_type await_resume()
    {
        rethrow_if_failed();
        return std::apply(
            [](auto&... values) { return value_type(std::move(*values)...); }, values_);
    }

private:
    template <std::size_t... I>
    all_awaiter(std::tuple<Operands...>&& operands, std::index_sequence<I...>)
        : waits_(std::get<I>(std::move(operands))...), all_{&std::get<I>(waits_)...}
    {}

    std::span<wait* const> operands() noexcept override { return all_; }

    void take(std::size_t index) override { take(index, indexes()); }

    template <std::size_t... I>
    void take([[maybe_unused]] std::size_t index, std::index_sequence<I...>)
    {
        ((I == index
              ? static_cast<void>(std::get<I>(values_).emplace(take_stored(std::get<I>(waits_))))
              : void()),
         ...);
    }

    std::tuple<wait_for<Operands>...> waits_;
    std::array<wait*, sizeof...(Operands)> all_;
    std::tuple<std::optional<stored<typename wait_for<Operands>::value_type>>...> values_;
};

template <class Operand>
class all_awaiter<std::vector<Operand>> : public all_wait
{
    using element = stored<typename wait_for<Operand>::value_type>;

public:
    using value_type = std::vector<element>;

    explicit all_awaiter(all_of<std::vector<Operand>>&& from)
    {
        for (Operand& each : std::move(from).operands()) {
            all_.push_back(&waits_.emplace_back(std::move(each)));
        }
        values_.resize(all_.size());
    }

    value_type await_resume()
    {
        rethrow_if_failed();
        value_type values;
        values.reserve(values_.size());
        for (std::optional<element>& each : values_) values.push_back(std::move(*each));
        return values;
    }

private:
    std::span<wait* const> operands() noexcept override { return all_; }
    void take(std::size_t index) override { values_[index].emplace(take_stored(waits_[index])); }

    std::deque<wait_for<Operand>> waits_; // which cannot be moved
    std::vector<wait*> all_;
    std::vector<std::optional<element>> values_;
};

template <class Operands>
struct wait_type<all_of<Operands>>
{
    using type = all_awaiter<Operands>;
};

template <class Operands>
inline constexpr bool awaitable_in_workflow<all_of<Operands>> = true;
template <class Operands>
inline constexpr bool awaitable_once<all_of<Operands>> = true;

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

} // namespace detail

/// Waits for all of several operations, futures, spawned tasks, tasks, or groups of them.
///
///     auto both = co_await when_all(ctx.run(shop::charge(o)), print_label(ctx, o));
///     auto& [payment, label] = both;
///
/// They are started in the order of the parameters when it is awaited; tasks among them run, in
/// that order, when all are started. Awaiting it gives a std::tuple of their values, std::monostate
/// for void.
///
/// If one fails, the failure that came first in the history is thrown, and the others are
/// cancelled: a timer is cancelled, a signal is left to the next receive, an activity is no longer
/// wanted. A task gets \ref cancelled thrown where it awaits an operation, and is waited for; what
/// it does then, in its own time and under context::shielded(), is done before the failure is
/// thrown. Its own outcome is dropped. Futures and spawned tasks go on. An operand that is an
/// operation of context::shielded() is cancelled all the same: what has to be undone is started
/// before (context::start), and its future given to the group and awaited behind it.
///
/// What came before the failure is dropped with the group, a signal that was received included: a
/// signal is received once. To keep it, give the group a future of the receive (context::start).
///
/// A cancellation of the instance reaches what is waited for, not the group itself.
template <class... Operands>
    requires(!(detail::is_vector<std::remove_cvref_t<Operands>> || ...))
auto when_all(Operands&&... operands)
{
    if constexpr (detail::check_operands<Operands...>()) {
        using all = std::tuple<std::remove_cvref_t<Operands>...>;
        return all_of<all>(all(std::forward<Operands>(operands)...));
    } else {
        return detail::refused_awaitable();
    }
}

/// The same for any number of one kind: awaiting it gives a std::vector of the values, in the order
/// of the operands.
///
///     std::vector<operation<std::string>> charges; // or futures, spawned tasks, tasks
///     for (const auto& o : orders) charges.push_back(ctx.run(shop::charge(o)));
///     const std::vector<std::string> payments = co_await when_all(std::move(charges));
template <class Operand>
auto when_all(std::vector<Operand>&& operands)
{
    if constexpr (detail::check_operands<Operand>())
        return all_of<std::vector<Operand>>(std::move(operands));
    else
        return detail::refused_awaitable();
}

template <class Operand>
auto when_all(const std::vector<Operand>& operands)
{
    if constexpr (detail::check_operands<const Operand&>())
        return all_of<std::vector<Operand>>(operands);
    else
        return detail::refused_awaitable();
}

} // namespace perdure
