#include <perdure/workflow/error.hpp>

namespace perdure {

namespace {

class category final : public boost::system::error_category
{
public:
    const char* name() const noexcept override { return "perdure"; }

    std::string message(int code) const override
    {
        switch (static_cast<errc>(code)) {
        case errc::already_exists: return "an active instance has this id";
        case errc::not_found: return "there is no active instance of this id";
        case errc::not_finished: return "the instance is still active";
        case errc::lease_lost: return "the task belongs to another worker now";
        case errc::invalid_argument: return "an argument is not what it must be";
        case errc::payload_too_large: return "the payload is over its limit";
        case errc::malformed_payload: return "the payload is not what it must be";
        case errc::nondeterminism: return "the code no longer does what the history says it did";
        case errc::history_too_large: return "the history is over its limit";
        case errc::unknown_workflow: return "the workflow is not implemented here";
        case errc::unknown_activity: return "the activity is not implemented here";
        case errc::workflow_failed: return "the workflow failed";
        case errc::activity_failed: return "the activity failed";
        case errc::application_failure: return "the application failed";
        case errc::cancelled: return "cancelled";
        case errc::timed_out: return "the time ran out";
        case errc::closed: return "closed";
        case errc::activation_too_long: return "the workflow's code never waits";
        }
        return "unknown error " + std::to_string(code);
    }
};

} // namespace

const boost::system::error_category& error_category() noexcept
{
    static const category instance;
    return instance;
}

boost::system::error_code make_error_code(errc kind) noexcept
{
    return {static_cast<int>(kind), error_category()};
}

error::error(errc kind, const std::string& sentence)
    : system_error(make_error_code(kind)), sentence_(sentence)
{}

const char* error::what() const noexcept
{
    return sentence_.what();
}

} // namespace perdure
