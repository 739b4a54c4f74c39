// What as_result() and within() make of something that can be awaited.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/detail/operation_wait.hpp>
#include <perdure/workflow/detail/task_promise.hpp>
#include <perdure/workflow/detail/wait.hpp>
#include <perdure/workflow/failed.hpp>
#include <perdure/workflow/result.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace perdure::detail {

/// A wait that another one and a durable timer race for.
class PERDURE_DECL limited_wait : public wait, public wait_parent
{
public:
    std::uint64_t completed() const noexcept final;

protected:
    explicit limited_wait(std::chrono::microseconds limit) noexcept : limit_(limit) {}
    bool timed_out() const noexcept { return timed_out_; }

private:
    static constexpr std::size_t inner_index = 0;
    static constexpr std::size_t timer_index = 1;

    virtual wait& inner() noexcept = 0;

    bool start(cancel_scope& scope) final;
    bool cancel() final;
    void child_over(std::size_t index) final;

    std::chrono::microseconds limit_;
    std::optional<operation_wait> timer_; // only when there is something to wait for
    bool timed_out_ = false;
};

/// What the exception says as a failure: a \ref failed as it is, any other described.
PERDURE_DECL std::shared_ptr<const failed> failure_of(std::exception_ptr thrown);

/// An awaitable with a time limit.
template <class Awaitable>
class [[nodiscard("nothing happens until it is awaited: co_await it")]] limited
{
public:
    limited(Awaitable awaited, std::chrono::microseconds limit)
        : awaited_(std::move(awaited)), limit_(limit)
    {}

    auto operator co_await() const&
        requires std::copy_constructible<Awaitable>
    {
        return wait_for<limited>(limited(*this));
    }
    auto operator co_await() && { return wait_for<limited>(std::move(*this)); }

    /// For the library.
    Awaitable&& awaited() && noexcept { return std::move(awaited_); }
    std::chrono::microseconds limit() const noexcept { return limit_; }

private:
    Awaitable awaited_;
    std::chrono::microseconds limit_;
};

/// An awaitable whose exceptions are values.
template <class Awaitable>
class [[nodiscard("nothing happens until it is awaited: co_await it")]] caught
{
public:
    explicit caught(Awaitable awaited) : awaited_(std::move(awaited)) {}

    auto within(std::chrono::microseconds limit) const&
        requires std::copy_constructible<Awaitable>
    {
        return limited<caught>(*this, limit);
    }
    auto within(std::chrono::microseconds limit) &&
    {
        return limited<caught>(std::move(*this), limit);
    }

    auto operator co_await() const&
        requires std::copy_constructible<Awaitable>
    {
        return wait_for<caught>(caught(*this));
    }
    auto operator co_await() && { return wait_for<caught>(std::move(*this)); }

    /// For the library.
    Awaitable&& awaited() && noexcept { return std::move(awaited_); }

private:
    Awaitable awaited_;
};

/// Gives an optional, for void a bool, that is empty (false) when the time ran out.
template <class Awaitable>
class limited_awaiter final : public limited_wait
{
    using inner_type = typename wait_for<Awaitable>::value_type;

public:
    using value_type =
        std::conditional_t<std::is_void_v<inner_type>, bool, std::optional<inner_type>>;

    explicit limited_awaiter(limited<Awaitable>&& from)
        : limited_wait(from.limit()), inner_(std::move(from).awaited())
    {}

    value_type await_resume()
    {
        if (timed_out()) return value_type();
        if constexpr (std::is_void_v<inner_type>) {
            inner_.await_resume();
            return true;
        } else {
            return value_type(inner_.await_resume());
        }
    }

private:
    wait& inner() noexcept override { return inner_; }

    wait_for<Awaitable> inner_;
};

/// Gives a \ref result instead of throwing.
template <class Awaitable>
class caught_awaiter final : public wait_for<Awaitable>
{
    using inner = wait_for<Awaitable>;
    using inner_type = typename inner::value_type;

public:
    using value_type = result<inner_type>;

    explicit caught_awaiter(caught<Awaitable>&& from) : inner(std::move(from).awaited()) {}

    value_type await_resume()
    {
        try {
            if constexpr (std::is_void_v<inner_type>) {
                inner::await_resume();
                return value_type(std::monostate{});
            } else {
                return value_type(inner::await_resume());
            }
        } catch (...) {
            return value_type(failure_of(std::current_exception()));
        }
    }
};

template <class Awaitable>
struct wait_type<limited<Awaitable>>
{
    using type = limited_awaiter<Awaitable>;
};

template <class Awaitable>
struct wait_type<caught<Awaitable>>
{
    using type = caught_awaiter<Awaitable>;
};

template <class Awaitable>
inline constexpr bool awaitable_in_workflow<limited<Awaitable>> = true;
template <class Awaitable>
inline constexpr bool awaitable_once<limited<Awaitable>> = awaitable_once<Awaitable>;
template <class Awaitable>
inline constexpr bool awaitable_in_workflow<caught<Awaitable>> = true;
template <class Awaitable>
inline constexpr bool awaitable_once<caught<Awaitable>> = awaitable_once<Awaitable>;

} // namespace perdure::detail
