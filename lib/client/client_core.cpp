#include <client/client_core.hpp>

#include <map>
#include <utility>

namespace perdure {

namespace asio = boost::asio;

namespace {

constexpr std::size_t most_per_commit = 200;
constexpr std::size_t most_per_lookup = 1000;

asio::awaitable<std::vector<std::optional<store::instance_result>>> look_up(
    std::shared_ptr<engine_core> engine, std::vector<store::instance_key> instances)
{
    std::vector<store::instance_result> finished = co_await engine->store().results(instances);
    std::map<store::instance_key, std::size_t> index;
    for (std::size_t i = 0; i < finished.size(); ++i) index[finished[i].instance] = i;
    std::vector<std::optional<store::instance_result>> found(instances.size());
    for (std::size_t i = 0; i < instances.size(); ++i) {
        const auto at = index.find(instances[i]);
        if (at != index.end()) found[i] = finished[at->second]; // several may wait for one instance
    }
    co_return found;
}

} // namespace

client_core::client_core(std::shared_ptr<engine_core> engine) : engine_{std::move(engine)}
{
    const std::shared_ptr<engine_core> on = engine_;
    starts_ = std::make_shared<batcher<store::new_instance, store::created>>(
        on->executor(), most_per_commit,
        [on](std::vector<store::new_instance> items, auto answers) {
            return on->store().create(std::move(items), std::move(answers));
        });
    signals_ = std::make_shared<batcher<store::signal_request, store::signalled>>(
        on->executor(), most_per_commit,
        [on](std::vector<store::signal_request> items, auto answers) {
            return on->store().signal(std::move(items), std::move(answers));
        });
    cancels_ = std::make_shared<batcher<store::cancel_request, store::signalled>>(
        on->executor(), most_per_commit,
        [on](std::vector<store::cancel_request> items, auto answers) {
            return on->store().cancel(std::move(items), std::move(answers));
        });
    lookups_ =
        std::make_shared<batcher<store::instance_key, std::optional<store::instance_result>>>(
            on->executor(), most_per_lookup,
            [on](std::vector<store::instance_key> items) { return look_up(on, std::move(items)); });
}

asio::awaitable<store::created> client_core::start(store::new_instance instance)
{
    co_await engine_->ready();
    const recent_ends::mark before = engine_->hub().heard_so_far();
    store::created made = co_await starts_->submit(std::move(instance));
    if (made.status == store::created::status::created) note_start(made.instance, before);
    co_return made;
}

void client_core::note_start(store::instance_key instance, recent_ends::mark before)
{
    if (!listening_) return;
    if (started_.size() >= recent_ends::most) started_.erase(started_.begin()); // the oldest key
    started_.insert_or_assign(instance, before);
}

/// Whether it was started here, and all that was said since was heard: its end was not.
bool client_core::runs_surely(store::instance_key instance)
{
    const auto found = started_.find(instance);
    if (found == started_.end()) return false;
    const recent_ends::mark since = found->second;
    started_.erase(found);
    return !engine_->hub().may_have_ended(instance, since);
}

asio::awaitable<store::signalled> client_core::signal(store::signal_request request)
{
    co_await engine_->ready();
    store::signalled outcome = co_await signals_->submit(std::move(request));
    co_return outcome;
}

asio::awaitable<store::signalled> client_core::cancel(store::cancel_request request)
{
    co_await engine_->ready();
    store::signalled outcome = co_await cancels_->submit(std::move(request));
    co_return outcome;
}

asio::awaitable<store::instance_result> client_core::wait_for_result(store::instance_key instance)
{
    if (!listening_) listening_ = engine_->listen();
    wake_flag finished{engine_->executor()};
    const wake_hub::registration watching = engine_->hub().watch(instance, finished);
    bool looked = runs_surely(instance); // as good as having looked
    if (looked) co_await finished.wait_until(engine_->hub().deadline());
    for (;;) {
        finished.clear(); // before looking: a notification in between is kept
        std::exception_ptr failure;
        std::optional<store::instance_result> result;
        try {
            result = co_await lookups_->submit(instance);
            looked = true;
            engine_->database_answers();
        } catch (const pg::error&) {
            failure = std::current_exception();
        }
        if (result) co_return std::move(*result);
        if (failure) {
            if (!looked || engine_->is_shut_down()) std::rethrow_exception(failure);
            engine_->database_failed("cannot look for a result", failure);
            co_await finished.wait_until(
                std::chrono::steady_clock::now() + engine_->options().poll_interval());
            continue;
        }
        co_await finished.wait_until(engine_->hub().deadline());
    }
}

} // namespace perdure
