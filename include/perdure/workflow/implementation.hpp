// A workflow's implementation: the coroutine function of a definition, erased.
#pragma once

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/detail/callable.hpp>
#include <perdure/workflow/encode.hpp>
#include <perdure/workflow/fixed_string.hpp>
#include <perdure/workflow/payload.hpp>
#include <perdure/workflow/task.hpp>
#include <perdure/workflow/workflow.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace perdure {

namespace detail {

/// A started workflow: its decoded arguments and the outermost coroutine.
class workflow_root
{
public:
    virtual ~workflow_root() = default;

    /// The coroutine.
    virtual task_promise_base& promise() noexcept = 0;

    /// Once the coroutine is done: its encoded result; throws the exception that left it.
    virtual payload result() = 0;
};

template <class R, class F, class... P>
class typed_root final : public workflow_root
{
public:
    typed_root(F& function, context ctx, std::tuple<P...> arguments)
        : arguments_(std::move(arguments)),
          task_(std::apply(
              [&](P&... argument) { return function(ctx, std::move(argument)...); }, arguments_))
    {}

    task_promise_base& promise() noexcept override { return task_.promise(); }

    payload result() override
    {
        if constexpr (std::is_void_v<R>) {
            task_.promise().take();
            return payload::from_text("null");
        } else {
            return encode(task_.promise().take());
        }
    }

private:
    std::tuple<P...> arguments_; // const& parameters refer to these; they outlive the frame
    task<R> task_;
};

} // namespace detail

/// A workflow's name and how to start its coroutine. Immutable, may be shared by any number of
/// replayers; made by
/// \ref implement.
class workflow_implementation
{
public:
    using start_function =
        std::function<std::unique_ptr<detail::workflow_root>(context, const payload& arguments)>;

    /// For the library.
    workflow_implementation(std::string_view name, std::string signature, start_function start)
        : name_(name), signature_(std::move(signature)), start_(std::move(start))
    {}

    /// The definition's durable name.
    const std::string& name() const noexcept { return name_; }

    /// The definition's parameters for people: `(shop::order, string)`.
    const std::string& signature() const noexcept { return signature_; }

    /// Decodes the arguments and creates the coroutine, which has not begun.
    /// \throws error errc::malformed_payload when the arguments are not those of the definition.
    std::unique_ptr<detail::workflow_root> start(context ctx, const payload& arguments) const
    {
        return start_(ctx, arguments);
    }

private:
    std::string name_;
    std::string signature_;
    start_function start_;
};

/// Ties a coroutine function to a definition.
///
/// The function takes perdure::context, then exactly the definition's parameters, each by value or
/// by const&, and returns perdure::task of the definition's result. A const& parameter stays valid
/// as long as the coroutine: the arguments are kept beside it. Of a function object with a template
/// as call operator it is only tried whether it can be called so; it is copied once, lives as long
/// as the implementation, and may be called from any thread that replays.
template <fixed_string Name, class R, class... P, class F>
workflow_implementation implement(const workflow<Name, R(P...)>& definition, F function)
{
    constexpr bool context_first = detail::takes_context<F, context, P...>();
    static_assert(
        context_first, "perdure: the first parameter of a workflow's "
                       "implementation is perdure::context, by value");
    static_assert(
        !context_first || detail::takes_parameters<F, context, P...>(),
        "perdure: the parameters of a workflow's implementation, after its context, are those of "
        "the definition, each by "
        "value or const&");
    static_assert(
        (payload_type<P> && ...), "perdure: a parameter of this workflow cannot be encoded; "
                                  "describe it with BOOST_DESCRIBE_STRUCT, or specialise "
                                  "perdure::conversion for it");
    if constexpr (std::is_invocable_v<F&, context, P...>) {
        static_assert(
            std::is_same_v<std::invoke_result_t<F&, context, P...>, task<R>>,
            "perdure: the implementation of a workflow is a coroutine that returns perdure::task "
            "of the definition's result");
        if constexpr (
            (payload_type<P> && ...) &&
            std::is_same_v<std::invoke_result_t<F&, context, P...>, task<R>>) {
            auto shared = std::make_shared<F>(std::move(function));
            return workflow_implementation(
                definition.name(), detail::signature<P...>(),
                [shared](context ctx, const payload& arguments)
                    -> std::unique_ptr<detail::workflow_root> {
                    return std::make_unique<detail::typed_root<R, F, P...>>(
                        *shared, ctx,
                        decode_arguments<P...>(arguments, "workflow " + std::string(Name.view())));
                });
        } else {
            return workflow_implementation(definition.name(), {}, {});
        }
    } else {
        return workflow_implementation(definition.name(), {}, {});
    }
}

} // namespace perdure
