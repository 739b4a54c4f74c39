#include <store/activity_batch.hpp>

#include <store/claims.hpp>

#include <perdure/workflow/event.hpp>

#include <algorithm>
#include <chrono>
#include <map>
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
    claim_.reset();
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
    for (const std::size_t item : items) {
        const activity_completion& each = completions_[item];
        if (!each.is_result()) continue;
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
    if (const auto claimants = claimants_of(items); !claimants.empty())
        add_claims(work, claimants);
    else
        work.add(core_.sql.wake_workflow_tasks);
}

/// Those of the items that claim the workflow tasks they wake, by their instances.
std::map<instance_key, std::size_t> activity_batch::claimants_of(batch_items items) const
{
    std::map<instance_key, std::size_t> claimants;
    for (const std::size_t item : items) {
        const activity_completion& each = completions_[item];
        if (each.is_result() && each.eager) claimants.emplace(each.instance, item);
    }
    return claimants;
}

void activity_batch::add_claims(
    pg::pipeline& work, const std::map<instance_key, std::size_t>& claimants)
{
    std::vector<instance_key> instances;
    std::vector<claim_token> tokens, live;
    std::vector<std::chrono::milliseconds> leases;
    for (const auto& [instance, item] : claimants) {
        const eager_claim& claim = *completions_[item].eager;
        instances.push_back(instance);
        tokens.push_back(claim.token);
        live.push_back(claim.live);
        leases.push_back(claim.lease);
    }
    claim_ = work.add(core_.sql.claim_eager_tasks, instances, tokens, live, leases);
    add_claimed(work);
}

/// Adds the reading of what was claimed.
void activity_batch::add_claimed(pg::pipeline& work)
{
    claimed_tasks_ = work.add(core_.sql.read_claimed_tasks);
    claimed_inboxes_ = work.add(core_.sql.read_claimed_inbox);
}

void activity_batch::read_claimed(batch_items items, const pg::pipeline_result& results)
{
    if (!claim_) return;
    const timestamp claimed_at = results[*claim_].get<timestamp>(0, 1);
    for (workflow_task& task :
         read_claimed_tasks(results[claimed_tasks_], results[claimed_inboxes_])) {
        const auto claimant = std::ranges::find_if(items, [&](std::size_t item) {
            const activity_completion& each = completions_[item];
            return each.instance == task.instance && each.eager && each.eager->token == task.token;
        });
        if (claimant == items.end()) continue;
        task.claimed_at = claimed_at;
        outcomes_[*claimant].claimed = std::move(task);
    }
}

/// They are committed: tells this process, and others of the tasks that could not be claimed.
void activity_batch::announce_results(batch_items items)
{
    announce_committed(items);
    announcement unclaimed = news();
    for (const auto& [instance, item] : claimants_of(items)) {
        const activity_completion& each = completions_[item];
        if (outcomes_[item].claimed) continue;
        // Dropped, perhaps; another result of the instance need not have been.
        unclaimed.add_workflow_queue(each.workflow_queue, std::nullopt, each.holder);
    }
    if (!unclaimed.empty()) committed(unclaimed);
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
    read_claimed(items, results);
    announce_results(items);
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
        if (!each.is_result() || !each.eager) continue;
        claimants.push_back(each.instance);
        eager_tokens.push_back(each.eager->token);
    }
    resolution_ = work.add(core_.sql.resolve_activity_tasks, instances, ids, tokens);
    claim_.reset();
    if (claimants.empty()) return;
    claim_ = work.add(core_.sql.find_eager_tasks, claimants, eager_tokens);
    add_claimed(work);
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
    read_claimed(known, results);
    announce_results(known);
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
    const std::map<instance_key, std::size_t> claimants = claimants_of(items);
    for (const std::size_t item : items) {
        const activity_completion& each = completions_[item];
        if (!each.is_result()) {
            what.add_activity_queue(each.queue, due_after(each.delay));
            continue;
        }
        const auto claimant = claimants.find(each.instance);
        if (claimant == claimants.end())
            what.add_workflow_queue(each.workflow_queue, std::nullopt, each.holder);
        else if (const auto lease_ends = due_after(completions_[claimant->second].eager->lease))
            what.add_workflow_queue(each.workflow_queue, lease_ends);
    }
    return what;
}

} // namespace perdure::store
