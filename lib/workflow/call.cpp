// The setters of calls that check.
#include <perdure/workflow/checks.hpp>
#include <perdure/workflow/workflow.hpp>

namespace perdure {

void untyped_workflow_call::set_id(std::string id)
{
    check_id(id);
    id_ = std::move(id);
}

void untyped_workflow_call::set_queue(std::string queue)
{
    check_name("queue", queue);
    queue_ = std::move(queue);
}

} // namespace perdure
