#include <store/activity_batch.hpp>

#include <store/claims.hpp>

#include <perdure/workflow/event.hpp>

#include <algorithm>
#include <chrono>
#include <set>
#include <span>
#include <string_view>
#include <utility>

namespace perdure::store {

activity_batch::activity_batch(store_core& core, std::vector<activity_completion> completions)
    : report_batch{core}, completions_{std::move(completions)}, outcomes_(completions_.size())
{}

std::vector<std::size_t> activity_batch::sizes() const
{
    std::vector<std::size_t> sizes;
    for (const activity_completion& each : completions_)
        sizes.push_back(each.data.size() + each.problem.size());
    return sizes;
}

pg::pipeline activity_batch::build(batch_items items)
{
    std::vector<instance_key> instances;
    std::vector<std::int64_t> ids;
    std::vector<claim_token> tokens;
    for (const std::size_t item : items) {
        instances.push_back(completions_[item].instance);
        ids.push_back(completions_[item].id);
        tokens.push_back(completions_[item].token);
    }
    claimed_.reset();
    pg::pipeline work = begin(items);
    work.add(core_.sql.fence_activity_tasks, instances, ids, tokens);
    add_results(work, items);
    add_settling(work, items);
    commit(work, items);
    return work;
}

void activity_batch::add_results(pg::pipeline& work, batch_items items)
{
    std::vector<instance_key> instances;
    std::vector<std::int64_t> ids;
    std::vector<std::int32_t> runs, operations;
    std::vector<std::string_view> types, names;
    std::vector<std::span<const std::byte>> data;
    bool for_anybody = false; // some of the tasks
    for (const std::size_t item : items) {
        const activity_completion& each = completions_[item];
        if (!each.is_result()) continue;
        for_anybody = for_anybody || !each.eager_token;
        instances.push_back(each.instance);
        ids.push_back(each.id);
        runs.push_back(each.run);
        types.push_back(to_string(
            each.outcome == activity_completion::outcome::completed ? event_type::activity_completed
                                                                    : event_type::activity_failed));
        operations.push_back(each.operation);
        names.push_back(each.name);
        data.push_back(each.data.span());
    }
    if (instances.empty()) return;
    work.add(core_.sql.deliver_results, instances, ids, runs, types, operations, names, data);
    add_claims(work, items);
    if (for_anybody) work.add(core_.sql.wake_workflow_tasks);
}

/// Claims those of the tasks that go to whoever reports, each instance's once.
void activity_batch::add_claims(pg::pipeline& work, batch_items items)
{
    std::set<instance_key> once;
    std::vector<instance_key> instances;
    std::vector<claim_token> tokens;
    std::vector<std::chrono::milliseconds> leases;
    for (const std::size_t item : items) {
        const activity_completion& each = completions_[item];
        if (!each.is_result() || !each.eager_token || !once.insert(each.instance).second) continue;
        instances.push_back(each.instance);
        tokens.push_back(*each.eager_token);
        leases.push_back(each.lease);
    }
    if (instances.empty()) return;
    work.add(core_.sql.claim_woken_tasks, instances, tokens, leases);
    read_claims(work);
}

void activity_batch::read_claims(pg::pipeline& work)
{
    claimed_ = work.add(core_.sql.read_claimed_tasks);
    claimed_inboxes_ = work.add(core_.sql.read_claimed_inbox);
}

void activity_batch::take_claims(batch_items items, const pg::pipeline_result& results)
{
    if (!claimed_) return;
    for (workflow_task& task : read_claimed_tasks(results[*claimed_], results[claimed_inboxes_])) {
        const auto claimant = std::ranges::find_if(items, [&](std::size_t item) {
            const activity_completion& each = completions_[item];
            return each.instance == task.instance && each.eager_token == task.token;
        });
        if (claimant != items.end()) outcomes_[*claimant].claimed = std::move(task);
    }
}

void activity_batch::add_settling(pg::pipeline& work, batch_items items)
{
    std::vector<instance_key> instances, troubled;
    std::vector<std::int64_t> ids;
    std::vector<std::int32_t> runs, uncounted;
    std::vector<bool> again;
    std::vector<std::chrono::milliseconds> delays;
    std::vector<std::string_view> problems;
    for (const std::size_t item : items) {
        const activity_completion& each = completions_[item];
        instances.push_back(each.instance);
        ids.push_back(each.id);
        runs.push_back(each.run);
        again.push_back(!each.is_result());
        delays.push_back(each.delay);
        uncounted.push_back(each.outcome == activity_completion::outcome::release ? 1 : 0);
        if (each.is_result() || each.problem.empty()) continue;
        troubled.push_back(each.instance);
        problems.push_back(each.problem);
    }
    settled_ =
        work.add(core_.sql.settle_activity_tasks, instances, ids, runs, again, delays, uncounted);
    if (!troubled.empty()) work.add(core_.sql.note_problems, troubled, problems);
}

std::vector<std::size_t> activity_batch::confirmed(
    batch_items items, const pg::pipeline_result& results)
{
    for (const auto& [position] : results[settled_].rows<std::int64_t>())
        outcomes_[items[static_cast<std::size_t>(position - 1)]].dropped = true;
    take_claims(items, results);
    announce_committed(items);
    return {};
}

void activity_batch::add_question(pg::pipeline& work, batch_items items)
{
    std::vector<instance_key> instances, claimants;
    std::vector<std::int64_t> ids;
    std::vector<claim_token> tokens, eager_tokens;
    for (const std::size_t item : items) {
        const activity_completion& each = completions_[item];
        instances.push_back(each.instance);
        ids.push_back(each.id);
        tokens.push_back(each.token);
        if (!each.eager_token) continue;
        claimants.push_back(each.instance);
        eager_tokens.push_back(*each.eager_token);
    }
    resolution_ = work.add(core_.sql.resolve_activity_tasks, instances, ids, tokens);
    claimed_.reset();
    if (claimants.empty()) return;
    work.add(core_.sql.find_woken_tasks, claimants, eager_tokens);
    read_claims(work);
}

std::vector<bool> activity_batch::resolved(batch_items items, const pg::pipeline_result& results)
{
    std::vector<bool> settled;
    std::vector<std::size_t> known;
    for (const auto& [position, present, held] :
         results[resolution_].rows<std::int64_t, bool, bool>()) {
        const std::size_t item = items[static_cast<std::size_t>(position - 1)];
        // A committed result leaves no row; a row that somebody else claims meanwhile was not
        // completed by us, and sending it again lets the fence say so.
        const bool not_done = present && (held || completions_[item].is_result());
        settled.push_back(!not_done);
        if (!not_done) known.push_back(item);
    }
    take_claims(known, results);
    announce_committed(known);
    return settled;
}

void activity_batch::lost(std::size_t item)
{
    outcomes_[item].status = completion_status::lease_lost;
}

void activity_batch::rejected(std::size_t item, const std::string& reason)
{
    outcomes_[item].status = completion_status::rejected;
    outcomes_[item].reason = reason;
}

announcement activity_batch::announce(batch_items items) const
{
    announcement what = news();
    for (const std::size_t item : items) {
        const activity_completion& each = completions_[item];
        if (each.is_result() && !each.eager_token)
            what.add_workflow_queue(each.workflow_queue, std::nullopt, each.holder);
        else if (each.is_result()) {
            if (const auto lease_ends = due_after(each.lease))
                what.add_workflow_queue(each.workflow_queue, lease_ends);
        } else
            what.add_activity_queue(each.queue, due_after(each.delay));
    }
    return what;
}

} // namespace perdure::store
