// Every statement of the store, loaded for one schema. Each is a file in sql/, which says what it
// does and what its parameters are.
#pragma once

#include <perdure/pg/statement.hpp>

#include <string_view>

namespace perdure::store {

struct statements
{
    explicit statements(std::string_view schema);

    pg::statement append_request;
    pg::statement claim_activity_tasks;
    pg::statement claim_eager_tasks;
    pg::statement claim_workflow_tasks;
    pg::statement create_in_transaction;
    pg::statement create_instances;
    pg::statement delete_consumed;
    pg::statement delete_requests;
    pg::statement deliver_results;
    pg::statement deliver_signals;
    pg::statement drop_results;
    pg::statement durable_settings;
    pg::statement end_activities;
    pg::statement extend_activity_tasks;
    pg::statement extend_workflow_tasks;
    pg::statement fence_activity_tasks;
    pg::statement fence_requests;
    pg::statement fence_workflow_tasks;
    pg::statement find_eager_tasks;
    pg::statement find_locked;
    pg::statement insert_activities;
    pg::statement insert_history;
    pg::statement lease_settings;
    pg::statement list_instances;
    pg::statement load_history;
    pg::statement lock_instances;
    pg::statement lock_orphans;
    pg::statement lock_removable;
    pg::statement lock_signalled;
    pg::statement look_up_created;
    pg::statement look_up_removable;
    pg::statement next_activity_due;
    pg::statement next_workflow_due;
    pg::statement note_problems;
    pg::statement notify;
    pg::statement notify_signalled;
    pg::statement read_arrived;
    pg::statement read_eager_activities;
    pg::statement read_claimed_history;
    pg::statement read_claimed_inbox;
    pg::statement read_claimed_tasks;
    pg::statement read_clock;
    pg::statement read_requests;
    pg::statement read_results;
    pg::statement read_settings;
    pg::statement release_workflow_tasks;
    pg::statement remove_history;
    pg::statement remove_instances;
    pg::statement resolve_activity_tasks;
    pg::statement resolve_released;
    pg::statement resolve_workflow_tasks;
    pg::statement safety;
    pg::statement settle_activity_tasks;
    pg::statement settle_workflow_tasks;
    pg::statement state;
    pg::statement statistics;
    pg::statement update_instances;
    pg::statement wake_workflow_tasks;
};

} // namespace perdure::store
