// The code of an activity, with its types erased: what a worker keeps for each activity it runs.
#pragma once

#include <perdure/worker/activity_context.hpp>
#include <perdure/workflow/activity.hpp>
#include <perdure/workflow/detail/callable.hpp>
#include <perdure/workflow/encode.hpp>
#include <perdure/workflow/payload.hpp>

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace perdure {

/// An activity's name and one of the two ways to run it. Made by `worker::implement`.
struct activity_implementation
{
    using coroutine_function =
        std::function<boost::asio::awaitable<payload>(activity_context, payload arguments)>;
    using plain_function = std::function<payload(activity_context, const payload& arguments)>;

    std::string name;
    coroutine_function coroutine; ///< runs on the executor; empty for a plain function
    plain_function plain;         ///< runs on one of the worker's threads; empty for a coroutine
};

namespace detail {

template <class T>
struct awaited
{
    static constexpr bool is_coroutine = false;
    using type = T;
};

template <class T, class Executor>
struct awaited<boost::asio::awaitable<T, Executor>>
{
    static constexpr bool is_coroutine = true;
    using type = T;
};

template <class R, class Function, class... P>
boost::asio::awaitable<payload> run_coroutine_activity(
    std::shared_ptr<Function> function, std::string what, activity_context context,
    payload arguments)
{
    const std::tuple<P...> decoded = decode_arguments<P...>(arguments, what);
    const auto call = [&](const P&... values) { return (*function)(context, values...); };
    auto running = std::apply(call, decoded);
    if constexpr (std::is_void_v<R>) {
        co_await std::move(running);
        co_return payload::from_text("null");
    } else {
        R value = co_await std::move(running);
        co_return encode(value);
    }
}

template <class R, class Function, class... P>
payload run_plain_activity(
    Function& function, std::string_view what, activity_context context, const payload& arguments)
{
    const std::tuple<P...> decoded = decode_arguments<P...>(arguments, what);
    const auto call = [&](const P&... values) { return function(context, values...); };
    if constexpr (std::is_void_v<R>) {
        std::apply(call, decoded);
        return payload::from_text("null");
    } else {
        return encode(static_cast<R>(std::apply(call, decoded)));
    }
}

} // namespace detail

/// Erases the types of an activity's code.
template <fixed_string Name, class R, class... P, class Function>
activity_implementation make_activity_implementation(
    const activity<Name, R(P...)>&, Function function)
{
    static_assert(
        detail::takes_context<Function, activity_context, P...>(),
        "perdure: the first parameter of an activity's implementation is "
        "perdure::activity_context, by value");
    static_assert(
        detail::takes_parameters<Function, activity_context, P...>(),
        "perdure: the parameters of an activity's implementation, after its context, are those of "
        "the definition, each by value or const&");
    constexpr bool can_travel = (payload_type<P> && ...) && (std::is_void_v<R> || payload_type<R>);
    static_assert(
        can_travel,
        "perdure: a parameter or the result of this activity cannot be encoded; describe it with "
        "BOOST_DESCRIBE_STRUCT, or specialise perdure::conversion for it");
    if constexpr (std::is_invocable_v<Function&, activity_context, const P&...>) {
        using result =
            detail::awaited<std::invoke_result_t<Function&, activity_context, const P&...>>;
        static_assert(
            std::is_same_v<typename result::type, R>,
            "perdure: the implementation of an activity returns the definition's result, or an "
            "asio::awaitable of it");
        const std::string what = "activity " + std::string{Name.view()};
        activity_implementation made;
        made.name = std::string{Name.view()};
        auto shared = std::make_shared<Function>(std::move(function));
        if constexpr (!can_travel || !std::is_same_v<typename result::type, R>) {
            return made;
        } else if constexpr (result::is_coroutine) {
            made.coroutine = [shared, what](activity_context context, payload arguments) {
                return detail::run_coroutine_activity<R, Function, P...>(
                    shared, what, context, std::move(arguments));
            };
        } else {
            made.plain = [shared, what](activity_context context, const payload& arguments) {
                return detail::run_plain_activity<R, Function, P...>(
                    *shared, what, context, arguments);
            };
        }
        return made;
    } else {
        return {};
    }
}

} // namespace perdure
