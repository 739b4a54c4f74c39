// Definition of an activity, and the call that it makes.
#pragma once

#include <perdure/workflow/activity_options.hpp>
#include <perdure/workflow/argument.hpp>
#include <perdure/workflow/fixed_string.hpp>
#include <perdure/workflow/payload.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace perdure {

/// An activity to run: its name, encoded arguments and options.
class untyped_activity_call
{
public:
    /// \param name the activity's durable name.
    /// \param arguments a JSON array.
    untyped_activity_call(std::string_view name, payload arguments)
        : name_(name), arguments_(std::move(arguments))
    {}

    const std::string& name() const noexcept { return name_; }
    const payload& arguments() const noexcept { return arguments_; }
    const activity_options& options() const noexcept { return options_; }
    activity_options& options() noexcept { return options_; }

private:
    std::string name_;
    payload arguments_;
    activity_options options_;
};

/// What calling an activity definition makes:
/// `shop::charge(order).start_to_close(30s).attempts(5)`. Nothing happens until a workflow runs it.
/// The setters are those of \ref activity_options, errors included.
template <class R>
class [[nodiscard(
    "an activity call does nothing until it is run: co_await ctx.run(...)")]] activity_call
    : public untyped_activity_call
{
public:
    using result_type = R;
    using untyped_activity_call::options;
    using untyped_activity_call::untyped_activity_call;

    /// All options at once; those that follow change single ones.
    activity_call& options(activity_options all) &
    {
        untyped_activity_call::options() = std::move(all);
        return *this;
    }
    activity_call&& options(activity_options all) && { return std::move(options(std::move(all))); }

    /// The queue whose workers run it; by default that of the workflow.
    activity_call& queue(std::string name) &
    {
        options().queue(std::move(name));
        return *this;
    }
    activity_call&& queue(std::string name) && { return std::move(queue(std::move(name))); }

    /// How long one attempt may take.
    activity_call& start_to_close(std::chrono::milliseconds limit) &
    {
        options().start_to_close(limit);
        return *this;
    }
    activity_call&& start_to_close(std::chrono::milliseconds limit) &&
    {
        return std::move(start_to_close(limit));
    }

    /// How many attempts are made; 0 is without limit.
    activity_call& attempts(std::int32_t count) &
    {
        options().attempts(count);
        return *this;
    }
    activity_call&& attempts(std::int32_t count) && { return std::move(attempts(count)); }

    /// The pauses between attempts: the first, what each further one is multiplied by, and the
    /// longest.
    activity_call& backoff(
        std::chrono::milliseconds initial, double coefficient = defaults::backoff_coefficient,
        std::chrono::milliseconds maximum = defaults::maximum_interval) &
    {
        options()
            .initial_interval(initial)
            .backoff_coefficient(coefficient)
            .maximum_interval(maximum);
        return *this;
    }
    activity_call&& backoff(
        std::chrono::milliseconds initial, double coefficient = defaults::backoff_coefficient,
        std::chrono::milliseconds maximum = defaults::maximum_interval) &&
    {
        return std::move(backoff(initial, coefficient, maximum));
    }
};

template <fixed_string Name, class Signature>
class activity
{
    static_assert(
        std::is_function_v<Signature>, "perdure: an activity is defined by its name and signature: "
                                       "activity<\"charge\", std::string(order)>");
};

/// A constant that carries an activity's durable name and signature, shared by workflows and the
/// workers that implement it: `inline constexpr perdure::activity<"charge", std::string(order)>
/// charge;`
///
/// The name is stored with each scheduled activity and must not change while there are any. Calling
/// the definition encodes the arguments at once.
template <fixed_string Name, class R, class... P>
class activity<Name, R(P...)>
{
    static_assert(
        detail::is_durable_name(Name.view()),
        "perdure: an activity's name is 1 to 100 of the characters A-Z a-z 0-9 - _ . /");
    static_assert(
        (std::is_same_v<P, std::remove_cvref_t<P>> && ...),
        "perdure: parameters in an activity's signature are values, without references");

public:
    using result_type = R;

    /// The durable name.
    static constexpr std::string_view name() noexcept { return Name.view(); }

    /// A call with these arguments.
    /// \throws error errc::malformed_payload when an argument cannot be encoded,
    /// errc::payload_too_large when they are over the limit together.
    [[nodiscard("an activity call does nothing until it is run: co_await ctx.run(...)")]]
    activity_call<R> operator()(arg<P>... arguments) const
    {
        return activity_call<R>(name(), detail::join_arguments("activity", name(), arguments...));
    }

    template <class... A>
        requires(sizeof...(A) != sizeof...(P))
    activity_call<R> operator()(A&&...) const
    {
        static_assert(
            sizeof...(A) == sizeof...(P), "perdure: the number of arguments does not match the "
                                          "signature in the activity's definition");
        return activity_call<R>(name(), payload());
    }
};

} // namespace perdure
