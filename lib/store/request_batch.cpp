#include <store/request_batch.hpp>

#include <perdure/pg/error.hpp>

#include <optional>
#include <utility>

namespace perdure::store {

request_batch::request_batch(store_core& core, std::vector<stored_request> requests)
    : signal_batch{core, deliveries_of(std::move(requests))}
{}

batch_limits request_batch::limits()
{
    batch_limits limits = signal_batch::limits();
    limits.patience.reset();
    return limits;
}

std::vector<stored_request> request_batch::read(const pg::result& rows)
{
    std::vector<stored_request> requests;
    for (auto [k, type, id, name, data, key] :
         rows.rows<
             request_key, std::string, std::string, std::string, pg::bytes, boost::uuids::uuid>()) {
        const std::optional<event_type> known = parse_event_type(type);
        if (!known)
            throw pg::error{
                pg::errc::bad_value, "a request is of type \"" + type +
                                         "\", which this version of the library does not know"};
        stored_request& read = requests.emplace_back();
        read.k = k;
        read.type = *known;
        read.id = std::move(id);
        read.name = std::move(name);
        read.data = payload::from_bytes(data);
        read.key = key;
    }
    return requests;
}

void request_batch::add_check(pg::pipeline& work, batch_items items)
{
    work.add(core_.sql.fence_requests, keys_of(items), ids_of(items));
}

void request_batch::add_cleaning(pg::pipeline& work, batch_items items)
{
    deletion_ = work.add(core_.sql.delete_requests, keys_of(items));
}

std::vector<std::size_t> request_batch::confirmed(
    batch_items items, const pg::pipeline_result& results)
{
    for (const auto& [k] : results[deletion_].rows<request_key>()) deleted_.insert(k);
    return signal_batch::confirmed(items, results);
}

void request_batch::lost(std::size_t item)
{
    behind_.insert(item);
}

forwarded request_batch::take(std::size_t item)
{
    forwarded outcome;
    signalled came_of_it = signal_batch::take(item);
    if (behind_.contains(item)) {
        outcome.status = forwarding::behind;
    } else if (came_of_it.status == signal_status::rejected) {
        outcome.status = forwarding::rejected;
        outcome.reason = std::move(came_of_it.reason);
    } else if (
        came_of_it.status == signal_status::not_found &&
        deleted_.contains(delivery_of(item).written_as)) {
        outcome.status = forwarding::dropped;
    }
    return outcome;
}

std::vector<request_key> request_batch::keys_of(batch_items items) const
{
    std::vector<request_key> keys;
    for (const std::size_t item : items) keys.push_back(delivery_of(item).written_as);
    return keys;
}

} // namespace perdure::store
