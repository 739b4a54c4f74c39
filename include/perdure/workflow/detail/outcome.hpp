// What awaiting an operation gives: the typed end of the untyped wait.
#pragma once

#include <perdure/workflow/detail/operation_wait.hpp>
#include <perdure/workflow/encode.hpp>
#include <perdure/workflow/error.hpp>
#include <perdure/workflow/result.hpp>

#include <exception>
#include <type_traits>
#include <variant>

namespace perdure {

template <class Outcome>
class basic_operation;

namespace detail {

template <class T>
struct result_outcome;

/// The value, decoded; an error names whose it is.
template <class T>
T decode_value(const operation_wait& wait)
{
    try {
        return decode<T>(wait.value());
    } catch (const error& refused) {
        wait.rethrow_named(refused);
    }
}

/// The value, or the failure as an exception.
template <class T>
struct plain_outcome
{
    using type = T;
    using as_result = result_outcome<T>;
    static constexpr bool arrives = true;

    static T take(const operation_wait& wait)
    {
        if (wait.has_failed()) wait.failure()->raise();
        if constexpr (!std::is_void_v<T>) return decode_value<T>(wait);
    }
};

/// The value or the failure.
template <class T>
struct result_outcome
{
    using type = result<T>;
    static constexpr bool arrives = true;

    static type take(const operation_wait& wait)
    {
        if (wait.has_failed()) return type(wait.failure());
        if constexpr (std::is_void_v<T>)
            return type(std::monostate{});
        else
            return type(decode_value<T>(wait));
    }
};

/// None: the coroutine does not go on, unless it is cancelled.
template <class T>
struct no_outcome
{
    using type = T;
    static constexpr bool arrives = false;

    [[noreturn]] static T take(const operation_wait& wait)
    {
        if (wait.has_failed()) wait.failure()->raise();
        std::terminate();
    }
};

/// The typed wait.
template <class Outcome>
class operation_awaiter final : public operation_wait
{
public:
    using value_type = typename Outcome::type;

    /// From an operation or a future.
    template <class Operation>
    explicit operation_awaiter(const Operation& from) : operation_wait(from.state())
    {}

    value_type await_resume() { return Outcome::take(*this); }
};

template <class Outcome>
struct wait_type<basic_operation<Outcome>>
{
    using type = operation_awaiter<Outcome>;
};

template <class Outcome>
inline constexpr bool awaitable_in_workflow<basic_operation<Outcome>> = true;

} // namespace detail

} // namespace perdure
