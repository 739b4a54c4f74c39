#include <worker/lease_keeper.hpp>

#include <perdure/pg/error.hpp>

#include <boost/asio/deferred.hpp> // before awaitable_operators.hpp, which needs it
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace perdure {

namespace asio = boost::asio;

lease_keeper::lease_keeper(std::shared_ptr<engine_core> engine, std::chrono::milliseconds duration)
    : engine_{std::move(engine)},
      lease_{duration},
      wake_workflows_{engine_->executor()},
      wake_activities_{engine_->executor()}
{}

lease_keeper::held& lease_keeper::held::operator=(held&& other) noexcept
{
    std::swap(keeper_, other.keeper_);
    std::swap(kind_, other.kind_);
    std::swap(row_, other.row_);
    std::swap(state_, other.state_);
    return *this;
}

lease_keeper::held::~held()
{
    if (keeper_ && keeper_->find(*this)) keeper_->of(kind_).erase(row_);
}

void lease_keeper::held::settle()
{
    if (entry* const kept = keeper_->find(*this)) kept->settling = true;
}

void lease_keeper::held::renew(store::claim_token token, time_point asked)
{
    entry* const kept = keeper_->find(*this);
    if (!kept) return;
    kept->token = token;
    kept->state->held_from(asked, keeper_->lease_);
    kept->settling = false;
}

lease_keeper::held lease_keeper::hold(const store::workflow_task& task, time_point asked)
{
    entry kept;
    kept.instance = task.instance;
    kept.token = task.token;
    const auto row = static_cast<std::int64_t>(task.instance);
    return hold(task_kind::workflow, row, std::move(kept), asked);
}

lease_keeper::held lease_keeper::hold(
    const store::activity_task& task, time_point asked, std::function<void(stop_reason)> stop)
{
    entry kept;
    kept.instance = task.instance;
    kept.token = task.token;
    kept.stop = std::move(stop);
    kept.withdrawn = std::make_unique<withdrawal>(wake_activities_);
    kept.watching = engine_->hub().watch(task.instance, *kept.withdrawn);
    return hold(task_kind::activity, task.id, std::move(kept), asked);
}

lease_keeper::held lease_keeper::hold(
    task_kind kind, std::int64_t row, entry kept, time_point asked)
{
    kept.state->held_from(asked, lease_);
    held result;
    result.keeper_ = shared_from_this();
    result.kind_ = kind;
    result.row_ = row;
    result.state_ = kept.state;
    of(kind).insert_or_assign(row, std::move(kept));
    return result;
}

lease_keeper::entry* lease_keeper::find(const held& which) noexcept
{
    const auto found = of(which.kind_).find(which.row_);
    if (found == of(which.kind_).end() || found->second.state != which.state_) return nullptr;
    return &found->second;
}

void lease_keeper::stop_all(stop_reason reason)
{
    std::vector<std::function<void(stop_reason)>> stops; // stopping one may end its lease
    for (auto& [row, kept] : activities_)
        if (kept.stop) stops.push_back(std::exchange(kept.stop, nullptr));
    for (const auto& stop : stops) stop(reason);
}

void lease_keeper::stop()
{
    stopping_ = true;
    wake_workflows_.raise();
    wake_activities_.raise();
}

asio::awaitable<void> lease_keeper::run(task_kind kind)
{
    using namespace asio::experimental::awaitable_operators;
    const auto interval = lease_ * 3 / 10;
    asio::steady_timer limit{engine_->executor()};
    auto next = std::chrono::steady_clock::now() + interval;
    while (!stopping_) {
        co_await wake_of(kind).wait_until(next);
        if (stopping_) break;
        wake_of(kind).clear(); // before looking: what is cancelled meanwhile is looked for again
        const auto now = std::chrono::steady_clock::now();
        const bool all = now >= next - interval / 4; // it is about time
        if (all) next = now + interval;
        limit.expires_at(next);
        std::exception_ptr failure;
        bool answered = false;
        try {
            const auto first =
                co_await (extend(kind, all, failure) || limit.async_wait(asio::use_awaitable));
            answered = first.index() == 0;
        } catch (const asio::multiple_exceptions&) { // both were cancelled
            throw boost::system::system_error{asio::error::operation_aborted};
        }
        if (answered && !failure) continue;
        if (!answered)
            failure = std::make_exception_ptr(
                pg::error{pg::errc::response_timed_out, "the database does not answer"});
        engine_->database_failed("cannot extend leases", failure);
        next = std::chrono::steady_clock::now() + interval / 4;
    }
}

/// \param all else only those that may not be wanted any more.
asio::awaitable<void> lease_keeper::extend(task_kind kind, bool all, std::exception_ptr& failure)
{
    // What runs beside it must have suspended before this may end.
    co_await asio::post(engine_->executor(), asio::use_awaitable);
    try {
        if (kind == task_kind::workflow)
            co_await extend_workflows();
        else
            co_await extend_activities(all);
    } catch (const pg::error&) {
        failure = std::current_exception();
    }
}

asio::awaitable<void> lease_keeper::extend_workflows()
{
    std::vector<store::workflow_lease> leases;
    for (const auto& [row, kept] : workflows_)
        if (!kept.state->lost() && !kept.settling) leases.push_back({kept.instance, kept.token});
    if (leases.empty()) co_return;
    const time_point asked = std::chrono::steady_clock::now();
    const auto outcomes = co_await engine_->store().extend(leases, lease_);
    for (std::size_t i = 0; i < leases.size(); ++i)
        note(
            task_kind::workflow, static_cast<std::int64_t>(leases[i].instance), leases[i].token,
            asked, outcomes[i]);
}

asio::awaitable<void> lease_keeper::extend_activities(bool all)
{
    std::vector<store::activity_lease> leases;
    for (const auto& [row, kept] : activities_) {
        const bool asked_about = kept.withdrawn->take();
        if ((all || asked_about) && !kept.state->lost() && !kept.settling)
            leases.push_back({kept.instance, row, kept.token});
    }
    if (leases.empty()) co_return;
    const time_point asked = std::chrono::steady_clock::now();
    const auto outcomes = co_await engine_->store().extend(leases, lease_);
    for (std::size_t i = 0; i < leases.size(); ++i)
        note(task_kind::activity, leases[i].id, leases[i].token, asked, outcomes[i]);
}

void lease_keeper::note(
    task_kind kind, std::int64_t row, store::claim_token token, time_point asked,
    store::extension outcome)
{
    const auto found = of(kind).find(row);
    // Meanwhile it may have ended, be about to, or have gone on under another token.
    if (found == of(kind).end() || found->second.token != token || found->second.settling) return;
    switch (outcome) {
    case store::extension::held: found->second.state->held_from(asked, lease_); return;
    case store::extension::cancelled:
        found->second.state->held_from(asked, lease_);
        if (const auto stop = found->second.stop) stop(stop_reason::cancelled); // may end the lease
        return;
    case store::extension::busy: return;
    case store::extension::lost: break;
    }
    found->second.state->lose();
    engine_->log(
        log_level::warning, "a lease was lost",
        {{kind == task_kind::workflow ? "instance" : "activity_task", std::to_string(row)}});
    const auto stop = std::exchange(found->second.stop, nullptr);
    if (stop) stop(stop_reason::lease_lost); // may end the lease: nothing of it is used any more
}

} // namespace perdure
