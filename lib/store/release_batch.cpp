#include <store/release_batch.hpp>

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

namespace perdure::store {

release_batch::release_batch(store_core& core, std::vector<workflow_release> releases)
    : report_batch{core},
      releases_{std::move(releases)},
      outcomes_(releases_.size(), completion_status::confirmed)
{}

std::vector<std::size_t> release_batch::sizes() const
{
    std::vector<std::size_t> sizes;
    for (const workflow_release& each : releases_) sizes.push_back(each.problem.size());
    return sizes;
}

pg::pipeline release_batch::build(batch_items items)
{
    std::vector<instance_key> instances, troubled;
    std::vector<claim_token> tokens;
    std::vector<std::chrono::milliseconds> delays;
    std::vector<std::int32_t> uncounted;
    std::vector<std::string_view> problems;
    for (const std::size_t item : items) {
        const workflow_release& each = releases_[item];
        instances.push_back(each.instance);
        tokens.push_back(each.token);
        delays.push_back(each.delay);
        uncounted.push_back(each.count_attempt ? 0 : 1);
        if (each.problem.empty()) continue;
        troubled.push_back(each.instance);
        problems.push_back(each.problem);
    }
    const std::vector<std::optional<std::int32_t>> any(items.size()); // of run and history length
    pg::pipeline work = begin(items);
    work.add(core_.sql.fence_workflow_tasks, instances, tokens, any, any);
    work.add(core_.sql.release_workflow_tasks, instances, delays, uncounted);
    if (!troubled.empty()) work.add(core_.sql.note_problems, troubled, problems);
    commit(work, items);
    return work;
}

std::vector<std::size_t> release_batch::confirmed(batch_items items, const pg::pipeline_result&)
{
    announce_committed(items);
    return {};
}

void release_batch::add_question(pg::pipeline& work, batch_items items)
{
    std::vector<instance_key> instances;
    std::vector<claim_token> tokens;
    for (const std::size_t item : items) {
        instances.push_back(releases_[item].instance);
        tokens.push_back(releases_[item].token);
    }
    resolution_ = work.add(core_.sql.resolve_released, instances, tokens);
}

std::vector<bool> release_batch::resolved(batch_items items, const pg::pipeline_result& results)
{
    std::vector<bool> settled;
    std::vector<std::size_t> known;
    for (const auto& [position, held] : results[resolution_].rows<std::int64_t, bool>()) {
        settled.push_back(!held);
        if (!held) known.push_back(items[static_cast<std::size_t>(position - 1)]);
    }
    announce_committed(known);
    return settled;
}

void release_batch::lost(std::size_t item)
{
    outcomes_[item] = completion_status::lease_lost;
}

void release_batch::rejected(std::size_t item, const std::string&)
{
    outcomes_[item] = completion_status::rejected;
}

announcement release_batch::announce(batch_items items) const
{
    announcement what = news();
    for (const std::size_t item : items) {
        const workflow_release& each = releases_[item];
        what.add_workflow_queue(each.queue, due_after(each.delay));
    }
    return what;
}

} // namespace perdure::store
