#include <store/statements.hpp>

#include <store/sql_files.hpp>

#include <perdure/pg/identifier.hpp>

namespace perdure::store {

statements::statements(std::string_view schema)
    : append_request{pg::load_statement(sql::append_request, schema)},
      claim_activity_tasks{pg::load_statement(sql::claim_activity_tasks, schema)},
      claim_workflow_tasks{pg::load_statement(sql::claim_workflow_tasks, schema)},
      create_in_transaction{pg::load_statement(sql::create_in_transaction, schema)},
      create_instances{pg::load_statement(sql::create_instances, schema)},
      delete_consumed{pg::load_statement(sql::delete_consumed, schema)},
      delete_requests{pg::load_statement(sql::delete_requests, schema)},
      deliver_results{pg::load_statement(sql::deliver_results, schema)},
      deliver_signals{pg::load_statement(sql::deliver_signals, schema)},
      drop_results{pg::load_statement(sql::drop_results, schema)},
      durable_settings{pg::load_statement(sql::durable_settings, schema)},
      end_activities{pg::load_statement(sql::end_activities, schema)},
      extend_activity_tasks{pg::load_statement(sql::extend_activity_tasks, schema)},
      extend_workflow_tasks{pg::load_statement(sql::extend_workflow_tasks, schema)},
      fence_activity_tasks{pg::load_statement(sql::fence_activity_tasks, schema)},
      fence_requests{pg::load_statement(sql::fence_requests, schema)},
      fence_workflow_tasks{pg::load_statement(sql::fence_workflow_tasks, schema)},
      find_locked{pg::load_statement(sql::find_locked, schema)},
      insert_activities{pg::load_statement(sql::insert_activities, schema)},
      insert_history{pg::load_statement(sql::insert_history, schema)},
      lease_settings{pg::load_statement(sql::lease_settings, schema)},
      list_instances{pg::load_statement(sql::list_instances, schema)},
      load_history{pg::load_statement(sql::load_history, schema)},
      lock_instances{pg::load_statement(sql::lock_instances, schema)},
      lock_orphans{pg::load_statement(sql::lock_orphans, schema)},
      lock_removable{pg::load_statement(sql::lock_removable, schema)},
      lock_signalled{pg::load_statement(sql::lock_signalled, schema)},
      look_up_created{pg::load_statement(sql::look_up_created, schema)},
      look_up_removable{pg::load_statement(sql::look_up_removable, schema)},
      next_activity_due{pg::load_statement(sql::next_activity_due, schema)},
      next_workflow_due{pg::load_statement(sql::next_workflow_due, schema)},
      note_problems{pg::load_statement(sql::note_problems, schema)},
      notify{pg::load_statement(sql::notify, schema)},
      notify_signalled{pg::load_statement(sql::notify_signalled, schema)},
      read_arrived{pg::load_statement(sql::read_arrived, schema)},
      read_eager_activities{pg::load_statement(sql::read_eager_activities, schema)},
      read_claimed_history{pg::load_statement(sql::read_claimed_history, schema)},
      read_claimed_inbox{pg::load_statement(sql::read_claimed_inbox, schema)},
      read_claimed_tasks{pg::load_statement(sql::read_claimed_tasks, schema)},
      read_clock{pg::load_statement(sql::read_clock, schema)},
      read_requests{pg::load_statement(sql::read_requests, schema)},
      read_results{pg::load_statement(sql::read_results, schema)},
      read_settings{pg::load_statement(sql::read_settings, schema)},
      release_workflow_tasks{pg::load_statement(sql::release_workflow_tasks, schema)},
      remove_history{pg::load_statement(sql::remove_history, schema)},
      remove_instances{pg::load_statement(sql::remove_instances, schema)},
      resolve_activity_tasks{pg::load_statement(sql::resolve_activity_tasks, schema)},
      resolve_released{pg::load_statement(sql::resolve_released, schema)},
      resolve_workflow_tasks{pg::load_statement(sql::resolve_workflow_tasks, schema)},
      safety{pg::load_statement(sql::safety, schema)},
      settle_activity_tasks{pg::load_statement(sql::settle_activity_tasks, schema)},
      settle_workflow_tasks{pg::load_statement(sql::settle_workflow_tasks, schema)},
      state{pg::load_statement(sql::state, schema)},
      statistics{pg::load_statement(sql::statistics, schema)},
      update_instances{pg::load_statement(sql::update_instances, schema)},
      wake_workflow_tasks{pg::load_statement(sql::wake_workflow_tasks, schema)}
{}

} // namespace perdure::store
