#include <store/report_batch.hpp>

#include <store/locked_instances.hpp>

namespace perdure::store {

pg::pipeline report_batch::build_probe(batch_items items)
{
    return probe_locks(core_, instances_of(items), {});
}

std::vector<bool> report_batch::probed(batch_items items, const pg::pipeline_result& results)
{
    const locked_instances locked = read_locks(results);
    std::vector<bool> found;
    for (const std::size_t item : items) found.push_back(locked.keys.contains(instance_of(item)));
    return found;
}

pg::pipeline report_batch::build_resolve(batch_items items)
{
    pg::pipeline question = begin();
    question.add(core_.sql.lock_orphans, instances_of(items));
    add_question(question, items);
    question.commit();
    return question;
}

void report_batch::commit(pg::pipeline& work, batch_items items)
{
    commit(work, announce(items));
}

void report_batch::announce_committed(batch_items items)
{
    committed(announce(items));
}

std::vector<instance_key> report_batch::instances_of(batch_items items) const
{
    std::vector<instance_key> instances;
    for (const std::size_t item : items) instances.push_back(instance_of(item));
    return instances;
}

pg::pipeline report_batch::begin(batch_items items) const
{
    pg::pipeline work = begin();
    work.add(core_.sql.lock_instances, instances_of(items));
    return work;
}

} // namespace perdure::store
