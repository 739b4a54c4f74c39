// What parameters a function that implements a definition takes, as far as it can be seen.
#pragma once

#include <boost/mp11/list.hpp>

#include <cstddef>
#include <type_traits>

namespace perdure::detail {

/// The signature of a function or of a function object with a single, non-template call operator.
template <class F>
struct callable
{
    static constexpr bool known = false;
};

template <class R, class... A>
struct callable<R(A...)>
{
    static constexpr bool known = true;
    using result = R;
    using parameters = boost::mp11::mp_list<A...>;
};

template <class R, class... A>
struct callable<R (*)(A...)> : callable<R(A...)>
{};
template <class R, class... A>
struct callable<R (*)(A...) noexcept> : callable<R(A...)>
{};
template <class C, class R, class... A>
struct callable<R (C::*)(A...)> : callable<R(A...)>
{};
template <class C, class R, class... A>
struct callable<R (C::*)(A...) const> : callable<R(A...)>
{};
template <class C, class R, class... A>
struct callable<R (C::*)(A...) noexcept> : callable<R(A...)>
{};
template <class C, class R, class... A>
struct callable<R (C::*)(A...) const noexcept> : callable<R(A...)>
{};

template <class F>
    requires requires { &F::operator(); }
struct callable<F> : callable<decltype(&F::operator())>
{};

/// Whether parameter A is the definition's parameter P, by value or const&.
template <class A, class P>
inline constexpr bool same_parameter = std::is_same_v<A, P> || std::is_same_v<A, const P&>;

template <class Parameters, class Context, class... P>
struct match_parameters
{
    static constexpr bool context_first = false;
    static constexpr bool rest = false;
};

template <class First, class... A, class Context, class... P>
struct match_parameters<boost::mp11::mp_list<First, A...>, Context, P...>
{
    static constexpr bool context_first = same_parameter<First, Context>;
    static constexpr bool rest = [] {
        if constexpr (sizeof...(A) == sizeof...(P))
            return (same_parameter<A, P> && ...);
        else
            return false;
    }();
};

/// Whether F's first parameter is the context. A function object with a template as call operator
/// is only tried.
template <class F, class Context, class... P>
constexpr bool takes_context()
{
    if constexpr (callable<F>::known) {
        return match_parameters<typename callable<F>::parameters, Context, P...>::context_first;
    } else {
        return true;
    }
}

/// Whether F's other parameters are those of the definition.
template <class F, class Context, class... P>
constexpr bool takes_parameters()
{
    if constexpr (callable<F>::known) {
        return match_parameters<typename callable<F>::parameters, Context, P...>::rest;
    } else {
        return std::is_invocable_v<F&, Context, P...>;
    }
}

} // namespace perdure::detail
