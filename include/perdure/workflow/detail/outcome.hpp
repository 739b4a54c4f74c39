// What awaiting an operation gives: the typed end of the untyped wait.
#pragma once

#include <perdure/workflow/detail/operation_wait.hpp>
#include <perdure/workflow/encode.hpp>
#include <perdure/workflow/error.hpp>
#include <perdure/workflow/result.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <type_traits>
#include <variant>

namespace perdure::detail {

template <class Outcome>
struct timed_outcome;
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
    using within = timed_outcome<plain_outcome>;

    static T take(const operation_wait& wait, wait_ending ending)
    {
        if (ending == wait_ending::failure) wait.failure()->raise();
        if constexpr (!std::is_void_v<T>) return decode_value<T>(wait);
    }
};

/// The value or the failure.
template <class T>
struct result_outcome
{
    using type = result<T>;
    using within = timed_outcome<result_outcome>;

    static type take(const operation_wait& wait, wait_ending ending)
    {
        if (ending == wait_ending::failure) return type(wait.failure());
        if constexpr (std::is_void_v<T>)
            return type(std::monostate{});
        else
            return type(decode_value<T>(wait));
    }
};

/// The value or the failure, or that neither came in time.
template <class Outcome>
struct timed_outcome
{
    using type = std::optional<typename Outcome::type>;

    static type take(const operation_wait& wait, wait_ending ending)
    {
        if (ending == wait_ending::timed_out) return std::nullopt;
        return Outcome::take(wait, ending);
    }
};

/// Whether it came in time; or the failure as an exception.
template <>
struct timed_outcome<plain_outcome<void>>
{
    using type = bool;

    static bool take(const operation_wait& wait, wait_ending ending)
    {
        if (ending == wait_ending::timed_out) return false;
        plain_outcome<void>::take(wait, ending);
        return true;
    }
};

/// None: the coroutine does not go on.
template <class T>
struct no_outcome
{
    using type = T;
    [[noreturn]] static T take(const operation_wait&, wait_ending) { std::terminate(); }
};

/// The typed awaiter.
template <class Outcome>
class operation_awaiter : public operation_wait
{
public:
    using operation_wait::operation_wait;

    typename Outcome::type await_resume()
    {
        const wait_ending ending = finish();
        return Outcome::take(*this, ending);
    }
};

} // namespace perdure::detail
