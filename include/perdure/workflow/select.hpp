// Waiting for the first of several things.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/detail/adapted.hpp>
#include <perdure/workflow/detail/group_wait.hpp>
#include <perdure/workflow/detail/selection_state.hpp>
#include <perdure/workflow/detail/task_promise.hpp>
#include <perdure/workflow/when_all.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace perdure {

namespace detail {

template <class Operand>
class selection_awaiter;

} // namespace detail

/// What \ref select of several parameters gives: to be awaited, once.
template <class... Operands>
class [[nodiscard("select does nothing until it is awaited: co_await it")]] first_of
{
public:
    /// For the library.
    explicit first_of(std::tuple<Operands...> operands) : operands_(std::move(operands)) {}

    /// The same, the failure of the winner as a value: awaiting it gives perdure::result. An
    /// exception that is not derived from \ref failed becomes an \ref application_failure that
    /// describes it.
    auto as_result() && { return detail::caught<first_of>(std::move(*this)); }

    /// The same, awaited for so long at most: awaiting it gives an optional, which is empty when
    /// the time ran out first. Then all operands are cancelled, as those that lose are.
    auto within(std::chrono::microseconds limit) &&
    {
        return detail::limited<first_of>(std::move(*this), limit);
    }

    auto operator co_await() && { return detail::wait_for<first_of>(std::move(*this)); }

    /// For the library.
    std::tuple<Operands...>&& operands() && noexcept { return std::move(operands_); }

private:
    std::tuple<Operands...> operands_;
};

/// One outcome of a \ref selection: whose it is, and what.
template <class T>
class selected
{
public:
    /// The outcome of the operand at this place.
    selected(std::size_t place, T outcome) : index(place), value(std::move(outcome)) {}

    std::size_t index; ///< the operand's place in the vector
    T value;           ///< what it gave; std::monostate for void
};

/// What \ref select of a vector gives: awaited again and again, it gives one outcome after the
/// other, in the order in which they come.
///
/// The operands are started, and waited for, from when it is first awaited. Copies stand for the
/// same; what is left when the last one is destroyed is cancelled, as the losers of a select are;
/// futures and spawned tasks go on. One coroutine awaits it at a time; it must not outlive the task
/// that first does. It can itself be an operand:
///
///     auto next = co_await select(charges, deadline); // in a loop
template <class Operand>
class [[nodiscard("select does nothing until it is awaited: co_await it")]] selection
{
public:
    /// What awaiting it gives.
    using value_type = selected<detail::stored<typename detail::wait_for<Operand>::value_type>>;

    /// For the library.
    explicit selection(std::vector<Operand> operands)
        : state_(std::make_shared<detail::typed_selection<Operand>>(std::move(operands)))
    {}

    /// How many outcomes are still to be awaited.
    std::size_t size() const noexcept { return state_->size(); }
    bool empty() const noexcept { return size() == 0; }

    /// The next outcome, awaited for so long at most: awaiting it gives an optional, which is empty
    /// when the time ran out first. The operands go on.
    auto within(std::chrono::microseconds limit) const
    {
        return detail::limited<selection>(*this, limit);
    }

    /// Awaits the next outcome.
    /// \throws (when awaited) the failure, when that is the outcome: `as_result()` of the operands
    /// keeps it and its place together. error errc::invalid_argument when there is nothing left to
    /// await, or another coroutine awaits it.
    auto operator co_await() const { return detail::selection_awaiter<Operand>(*this); }

    /// For the library.
    const std::shared_ptr<detail::typed_selection<Operand>>& state() const noexcept
    {
        return state_;
    }

private:
    std::shared_ptr<detail::typed_selection<Operand>> state_;
};

namespace detail {

template <class... Operands>
class any_awaiter : public any_wait
{
    using indexes = std::index_sequence_for<Operands...>;

public:
    using value_type = std::variant<stored<typename wait_for<Operands>::value_type>...>;

    explicit any_awaiter(first_of<Operands...>&& from)
        : any_awaiter(std::move(from).operands(), indexes())
    {}

    value_type await_resume() { return take(indexes()); }

private:
    template <std::size_t... I>
    any_awaiter(std::tuple<Operands...>&& operands, std::index_sequence<I...>)
        : waits_(std::get<I>(std::move(operands))...), all_{&std::get<I>(waits_)...}
    {}

    std::span<wait* const> operands() noexcept override { return all_; }

    template <std::size_t... I>
    value_type take(std::index_sequence<I...>)
    {
        std::optional<value_type> taken;
        ((I == winner() ? static_cast<void>(taken.emplace(
                              std::in_place_index<I>, take_stored(std::get<I>(waits_))))
                        : void()),
         ...);
        return std::move(*taken);
    }

    std::tuple<wait_for<Operands>...> waits_;
    std::array<wait*, sizeof...(Operands)> all_;
};

/// The next outcome of a selection.
template <class Operand>
class selection_awaiter final : public selection_wait
{
public:
    using value_type = typename selection<Operand>::value_type;

    explicit selection_awaiter(const selection<Operand>& from) noexcept
        : selection_wait(from.state()), operands_(from.state().get())
    {}

    value_type await_resume()
    {
        const std::size_t index = next();
        return value_type(index, take_stored(operands_->operand(index)));
    }

private:
    typed_selection<Operand>* operands_; // the base keeps it alive
};

template <class... Operands>
struct wait_type<first_of<Operands...>>
{
    using type = any_awaiter<Operands...>;
};

template <class... Operands>
inline constexpr bool awaitable_in_workflow<first_of<Operands...>> = true;
template <class... Operands>
inline constexpr bool awaitable_once<first_of<Operands...>> = true;

template <class Operand>
struct wait_type<selection<Operand>>
{
    using type = selection_awaiter<Operand>;
};

template <class Operand>
inline constexpr bool awaitable_in_workflow<selection<Operand>> = true;

} // namespace detail

/// Waits for the first of several operations, futures, spawned tasks, tasks, or groups of them.
///
///     auto first = co_await select(ctx.receive(shop::approve), ctx.sleep(24h));
///     if (first.index() == 0 && std::get<0>(first)) …
///
/// They are started in the order of the parameters when it is awaited; tasks among them run, in
/// that order, when all are started. Behind one that is complete at once the rest is not started.
/// Awaiting it gives a std::variant of their values, std::monostate for void, whose index says
/// which came first in the history; of those that came at once, the first parameter. If that one
/// failed, its failure is thrown.
///
/// The others are cancelled: a timer is cancelled, a signal is left to the next receive, an
/// activity is no longer wanted. A task gets \ref cancelled thrown where it awaits an operation,
/// and is waited for; what it does then, in its own time and under context::shielded(), is done
/// before the select is over. Its own outcome is dropped. Futures and spawned tasks go on: what
/// shall survive a select is started with context::start, a timer included, and so is what would
/// have to be undone: context::shielded() does not keep an operand from being cancelled.
///
/// A cancellation of the instance reaches what is waited for, not the select itself.
template <class... Operands>
    requires(!(detail::is_vector<std::remove_cvref_t<Operands>> || ...))
auto select(Operands&&... operands)
{
    constexpr bool any = sizeof...(Operands) != 0;
    static_assert(any, "perdure: select needs something to wait for");
    if constexpr (any && detail::check_operands<Operands...>()) {
        using all = std::tuple<std::remove_cvref_t<Operands>...>;
        return first_of<std::remove_cvref_t<Operands>...>(all(std::forward<Operands>(operands)...));
    } else {
        return detail::refused_awaitable();
    }
}

/// Waits for any number of one kind, one after the other as they come:
///
///     auto charges = select(std::move(futures)); // or operations, spawned tasks
///     while (!charges.empty()) {
///         const auto charged = co_await charges; // charged.index, charged.value
///     }
///
/// Takes part in all of it once, however often it is awaited: a thousand outcomes cost a thousand
/// steps. Tasks are to be spawned first.
template <class Operand>
auto select(std::vector<Operand>&& operands)
{
    constexpr bool once = detail::awaitable_once<Operand>;
    static_assert(
        !once, "perdure: a select over a vector takes operations, futures and spawned tasks; give "
               "tasks to ctx.spawn first");
    if constexpr (!once && detail::check_operands<Operand>())
        return selection<Operand>(std::move(operands));
    else
        return detail::refused_awaitable();
}

template <class Operand>
auto select(const std::vector<Operand>& operands)
{
    if constexpr (detail::check_operands<const Operand&>())
        return select(std::vector<Operand>(operands));
    else
        return detail::refused_awaitable();
}

} // namespace perdure
