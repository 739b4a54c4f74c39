// Definition of a workflow, and the call that it makes.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/argument.hpp>
#include <perdure/workflow/fixed_string.hpp>
#include <perdure/workflow/payload.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace perdure {

/// A workflow to start: its name and encoded arguments, and what the start asks for.
class PERDURE_DECL untyped_workflow_call
{
public:
    /// \param name the workflow's durable name.
    /// \param arguments a JSON array.
    untyped_workflow_call(std::string_view name, payload arguments)
        : name_(name), arguments_(std::move(arguments))
    {}

    const std::string& name() const noexcept { return name_; }
    const payload& arguments() const noexcept { return arguments_; }

    /// The id asked for; nothing: one is drawn.
    const std::optional<std::string>& id() const noexcept { return id_; }

    /// The queue asked for; nothing: the default queue, or that of the run that continues.
    const std::optional<std::string>& queue() const noexcept { return queue_; }

    /// Asks for this id, which no active instance may have. \throws error as \ref check_id does.
    void set_id(std::string id);

    /// Asks for this queue. \throws error as \ref check_name does.
    void set_queue(std::string queue);

private:
    std::string name_;
    payload arguments_;
    std::optional<std::string> id_;
    std::optional<std::string> queue_;
};

/// What calling a workflow definition makes. Nothing happens until it is started.
template <class R>
class [[nodiscard(
    "a workflow call does nothing until it is started: co_await client.start(...)")]] workflow_call
    : public untyped_workflow_call
{
public:
    using result_type = R;
    using untyped_workflow_call::id;
    using untyped_workflow_call::queue;
    using untyped_workflow_call::untyped_workflow_call;

    /// \copydoc untyped_workflow_call::set_id
    workflow_call& id(std::string id) &
    {
        set_id(std::move(id));
        return *this;
    }
    workflow_call&& id(std::string id) && { return std::move(this->id(std::move(id))); }

    /// \copydoc untyped_workflow_call::set_queue
    workflow_call& queue(std::string queue) &
    {
        set_queue(std::move(queue));
        return *this;
    }
    workflow_call&& queue(std::string queue) && { return std::move(this->queue(std::move(queue))); }
};

template <fixed_string Name, class Signature>
class workflow
{
    static_assert(
        std::is_function_v<Signature>, "perdure: a workflow is defined by its name and signature: "
                                       "workflow<\"checkout\", receipt(order)>");
};

/// A constant that carries a workflow's durable name and signature, shared by workers and clients:
/// `inline constexpr perdure::workflow<"checkout", receipt(order)> checkout;`
///
/// The name is stored with each instance and must not change while there are instances. Calling the
/// definition encodes the arguments at once.
template <fixed_string Name, class R, class... P>
class workflow<Name, R(P...)>
{
    static_assert(
        detail::is_durable_name(Name.view()),
        "perdure: a workflow's name is 1 to 100 of the characters A-Z a-z 0-9 - _ . /");
    static_assert(
        (std::is_same_v<P, std::remove_cvref_t<P>> && ...),
        "perdure: parameters in a workflow's signature are values, without references");

public:
    using result_type = R;

    /// The durable name.
    static constexpr std::string_view name() noexcept { return Name.view(); }

    /// A call with these arguments.
    /// \throws error errc::malformed_payload when an argument cannot be encoded,
    /// errc::payload_too_large when they are over the limit together.
    [[nodiscard("a workflow call does nothing until it is started: co_await client.start(...)")]]
    workflow_call<R> operator()(arg<P>... arguments) const
    {
        return workflow_call<R>(name(), detail::join_arguments("workflow", name(), arguments...));
    }

    template <class... A>
        requires(sizeof...(A) != sizeof...(P))
    workflow_call<R> operator()(A&&...) const
    {
        static_assert(
            sizeof...(A) == sizeof...(P), "perdure: the number of arguments does not match the "
                                          "signature in the workflow's definition");
        return workflow_call<R>(name(), payload());
    }
};

} // namespace perdure
