// The inside of a client, shared with its handles: what is under way at the same time goes out
// together.
#pragma once

#include <engine/batcher.hpp>
#include <engine/engine_core.hpp>

#include <perdure/store/types.hpp>

#include <boost/asio/awaitable.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace perdure {

class client_core : public std::enable_shared_from_this<client_core>
{
public:
    explicit client_core(std::shared_ptr<engine_core> engine);

    engine_core& engine() noexcept { return *engine_; }

    boost::asio::awaitable<store::created> start(store::new_instance instance);
    boost::asio::awaitable<store::signalled> signal(store::signal_request request);
    boost::asio::awaitable<store::signalled> cancel(store::cancel_request request);

    /// Waits until the instance has finished or was removed.
    boost::asio::awaitable<store::instance_result> wait_for_result(store::instance_key instance);

private:
    void note_start(store::instance_key instance, recent_ends::mark before);
    bool runs_surely(store::instance_key instance);

    template <class Item, class Outcome>
    using shared_batcher = std::shared_ptr<batcher<Item, Outcome>>;

    std::shared_ptr<engine_core> engine_;
    engine_core::listening listening_;
    std::map<store::instance_key, recent_ends::mark> started_; // since when nothing was heard of it
    shared_batcher<store::new_instance, store::created> starts_;
    shared_batcher<store::signal_request, store::signalled> signals_;
    shared_batcher<store::cancel_request, store::signalled> cancels_;
    shared_batcher<store::instance_key, std::optional<store::instance_result>> lookups_;
};

} // namespace perdure
