#include <perdure/workflow/failed.hpp>

#include <perdure/workflow/checks.hpp>
#include <perdure/workflow/failure.hpp>

#include <cstddef>
#include <string>
#include <utility>

namespace perdure {

namespace {

constexpr std::string_view cancelled_type = "perdure::cancelled";

failure_info caused_by(std::string_view type, std::string message, failure_info cause)
{
    const bool retryable = cause.retryable;
    return {
        std::string(type), std::move(message), payload(), retryable,
        std::make_shared<const failure_info>(std::move(cause))};
}

} // namespace

failed::failed(errc kind, failure_info info)
    : error(kind, describe(info)), info_(std::make_shared<const failure_info>(std::move(info)))
{}

void failed::raise() const
{
    throw failed(*this);
}

const failure_info* failed::find(std::string_view type) const noexcept
{
    const failure_info* info = info_.get();
    while (info != nullptr && info->type != type) info = info->cause.get();
    return info;
}

activity_failed::activity_failed(std::string_view activity, failure_info cause)
    : failed(
          errc::activity_failed,
          caused_by(
              "perdure::activity_failed", "activity " + std::string(activity) + " failed",
              std::move(cause)))
{}

void activity_failed::raise() const
{
    throw activity_failed(*this);
}

workflow_failed::workflow_failed(std::string_view workflow, std::string_view id, failure_info cause)
    : failed(
          errc::workflow_failed,
          caused_by(
              "perdure::workflow_failed",
              "workflow " + std::string(workflow) + " " + std::string(id) + " failed",
              std::move(cause)))
{}

void workflow_failed::raise() const
{
    throw workflow_failed(*this);
}

cancelled::cancelled()
    : failed(errc::cancelled, {std::string(cancelled_type), "cancelled", {}, false, nullptr})
{}

cancelled::cancelled(std::string_view workflow, std::string_view id)
    : failed(
          errc::cancelled,
          {std::string(cancelled_type),
           "workflow " + std::string(workflow) + " " + std::string(id) + " was cancelled",
           {},
           false,
           nullptr})
{}

void cancelled::raise() const
{
    throw cancelled(*this);
}

application_failure::application_failure(failure_info info)
    : failed(errc::application_failure, std::move(info))
{}

void application_failure::raise() const
{
    throw application_failure(*this);
}

application_failure& application_failure::retryable() &
{
    failure_info changed = info();
    changed.retryable = true;
    *this = application_failure(std::move(changed));
    return *this;
}

application_failure&& application_failure::retryable() &&
{
    return std::move(retryable());
}

application_failure& application_failure::message(std::string_view text) &
{
    failure_info changed = info();
    changed.message = text;
    *this = application_failure(std::move(changed));
    return *this;
}

application_failure&& application_failure::message(std::string_view text) &&
{
    return std::move(message(text));
}

namespace detail {

failure_info declared_failure(std::string_view name, payload details)
{
    constexpr std::size_t most_shown = 200;
    std::string message(name);
    check_payload("the fields of failure " + message, details);
    if (!details.empty() && details.size() <= most_shown)
        message += " " + std::string(details.text());
    return {std::string(name), std::move(message), std::move(details), false, nullptr};
}

} // namespace detail

} // namespace perdure
