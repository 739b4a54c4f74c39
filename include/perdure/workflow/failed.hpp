// Failures as exceptions: what is thrown where the result of an activity or a workflow was awaited,
// and what user code throws to fail with a declared failure.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/error.hpp>
#include <perdure/workflow/failure_info.hpp>

#include <memory>
#include <optional>
#include <string_view>

namespace perdure {

/// A recorded failure, thrown. `what()` is \ref describe of its info.
///
/// Copies share the info; copying never throws.
class PERDURE_DECL failed : public error
{
public:
    failed(errc kind, failure_info info);

    /// The recorded failure; valid as long as this exception or a copy of it.
    const failure_info& info() const noexcept { return *info_; }

    /// The same, to be kept as the cause of another.
    const std::shared_ptr<const failure_info>& shared_info() const noexcept { return info_; }

    /// Whether this failure, or one of its causes, was declared as `definition`.
    template <class Definition>
    bool is(const Definition& definition) const noexcept
    {
        return find(definition.name()) != nullptr;
    }

    /// The fields of the first failure, in this one and its causes, that was declared as
    /// `definition`.
    /// \returns nothing when there is none.
    /// \throws error errc::malformed_payload when its recorded fields are not those of the
    /// definition.
    template <class Definition>
    std::optional<typename Definition::details_type> failed_as(const Definition& definition) const
    {
        const failure_info* found = find(definition.name());
        if (found == nullptr) return std::nullopt;
        return definition.details(*found);
    }

    /// Throws a copy of this exception as the type it is.
    [[noreturn]] virtual void raise() const;

private:
    const failure_info* find(std::string_view type) const noexcept;

    std::shared_ptr<const failure_info> info_;
};

/// An activity's last attempt failed. The failure itself is the cause in `info()`.
class PERDURE_DECL activity_failed : public failed
{
public:
    /// \param activity the activity's durable name.
    activity_failed(std::string_view activity, failure_info cause);
    [[noreturn]] void raise() const override;
};

/// An instance finished with a failure. The failure itself is the cause in `info()`.
class PERDURE_DECL workflow_failed : public failed
{
public:
    /// \param workflow the workflow's durable name.
    /// \param id the instance's id.
    workflow_failed(std::string_view workflow, std::string_view id, failure_info cause);
    [[noreturn]] void raise() const override;
};

/// It was cancelled; its kind is errc::cancelled.
///
/// Inside a workflow: thrown where the code awaits an operation, once somebody asked the instance
/// to end, or once a select or when_all no longer needs the task that awaits. To whoever awaits the
/// result of an instance: it ended by its cancellation.
class PERDURE_DECL cancelled : public failed
{
public:
    /// Inside a workflow.
    cancelled();

    /// Of an instance, both named in the message.
    /// \param workflow the workflow's durable name.
    /// \param id the instance's id.
    cancelled(std::string_view workflow, std::string_view id);
    [[noreturn]] void raise() const override;
};

/// What user code throws to fail with a declared failure: made by calling a \ref failure
/// definition.
///
/// An activity that throws one has given its answer: it is not tried again, unless the failure says
/// that it is retryable.
class PERDURE_DECL application_failure : public failed
{
public:
    explicit application_failure(failure_info info);
    [[noreturn]] void raise() const override;

    /// Lets the activity be tried again, as its options say: `throw shop::no_answer().retryable();`
    application_failure& retryable() &;
    application_failure&& retryable() &&;

    /// Says it in words for people; the default is the name and the fields.
    application_failure& message(std::string_view text) &;
    application_failure&& message(std::string_view text) &&;
};

} // namespace perdure
