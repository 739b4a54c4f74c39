// What all reports of workers have in common: each is about one instance, which is locked, probed
// and asked for by its key.
#pragma once

#include <store/batch_operation.hpp>

#include <perdure/store/announcement.hpp>
#include <perdure/store/identifiers.hpp>

#include <string>
#include <vector>

namespace perdure::store {

class report_batch : public batch_operation
{
public:
    static batch_limits limits() { return {}; }

    pg::pipeline build_probe(batch_items items) final;
    std::vector<bool> probed(batch_items items, const pg::pipeline_result& results) final;
    pg::pipeline build_resolve(batch_items items) final;

protected:
    using batch_operation::batch_operation;
    using batch_operation::begin;
    using batch_operation::commit;

    /// The instance that an item is about.
    virtual instance_key instance_of(std::size_t item) const = 0;
    /// What these items change.
    virtual announcement announce(batch_items items) const = 0;
    /// Adds the question what became of these items, behind the lock that makes its answer sure.
    virtual void add_question(pg::pipeline& work, batch_items items) = 0;

    std::vector<instance_key> instances_of(batch_items items) const;
    /// A transaction that has locked the items' instances.
    pg::pipeline begin(batch_items items) const;
    /// Commits it, and tells others.
    void commit(pg::pipeline& work, batch_items items);
    /// Tells this process that they were committed.
    void announce_committed(batch_items items);
};

} // namespace perdure::store
