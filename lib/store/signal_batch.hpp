// Delivering what clients send to an instance: signals and requests to cancel it.
#pragma once

#include <store/batch_operation.hpp>

#include <perdure/store/instances.hpp>
#include <perdure/store/requests.hpp>

#include <perdure/workflow/event.hpp>

#include <string>
#include <utility>
#include <vector>

namespace perdure::store {

/// What is delivered: an event, to the active instance of an id, once for each key.
struct delivery
{
    explicit delivery(signal_request signal);
    explicit delivery(cancel_request request);
    explicit delivery(stored_request request);

    event_type type;
    std::string id;
    std::string name;
    payload data;
    boost::uuids::uuid key;
    request_key written_as{}; ///< what it was written down as; 0 when it was not
};

/// Each as what is delivered.
template <class Request>
std::vector<delivery> deliveries_of(std::vector<Request> requests)
{
    std::vector<delivery> deliveries;
    for (Request& each : requests) deliveries.emplace_back(std::move(each));
    return deliveries;
}

class signal_batch : public batch_operation
{
public:
    signal_batch(store_core& core, std::vector<delivery> deliveries);

    static batch_limits limits();
    std::vector<std::size_t> sizes() const;

    pg::pipeline build(batch_items items) override;
    std::vector<std::size_t> confirmed(
        batch_items items, const pg::pipeline_result& results) override;
    pg::pipeline build_probe(batch_items items) override;
    std::vector<bool> probed(batch_items items, const pg::pipeline_result& results) override;
    void rejected(std::size_t item, const std::string& reason) override;

    /// What came of a settled item.
    signalled take(std::size_t item) { return std::move(outcomes_[item]); }

protected:
    const delivery& delivery_of(std::size_t item) const { return deliveries_[item]; }
    std::vector<std::string_view> ids_of(batch_items items) const;

    /// Adds what comes behind the lock and before the delivery. Nothing by default.
    virtual void add_check(pg::pipeline& work, batch_items items);

    /// Adds what belongs into the delivery's transaction. Nothing by default.
    virtual void add_cleaning(pg::pipeline& work, batch_items items);

private:
    std::vector<delivery> deliveries_;
    std::vector<signalled> outcomes_;
    std::vector<bool> looked_twice_;
    std::size_t delivery_ = 0; // its place in the pipeline
};

} // namespace perdure::store
