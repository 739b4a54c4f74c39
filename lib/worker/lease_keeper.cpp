#include <worker/lease_keeper.hpp>

#include <utility>
#include <vector>

namespace perdure {

namespace asio = boost::asio;

lease_keeper::lease_keeper(std::shared_ptr<engine_core> engine, std::chrono::milliseconds duration)
    : engine_{std::move(engine)}, lease_{duration}, wake_{engine_->executor()}
{}

lease_keeper::held& lease_keeper::held::operator=(held&& other) noexcept
{
    std::swap(keeper_, other.keeper_);
    std::swap(kind_, other.kind_);
    std::swap(row_, other.row_);
    std::swap(lost_, other.lost_);
    return *this;
}

lease_keeper::held::~held()
{
    if (!keeper_) return;
    const auto found = keeper_->of(kind_).find(row_);
    // The row may have been claimed again by this very worker after this lease was lost.
    if (found != keeper_->of(kind_).end() && found->second.lost == lost_)
        keeper_->of(kind_).erase(found);
}

void lease_keeper::held::settle()
{
    const auto found = keeper_->of(kind_).find(row_);
    if (found != keeper_->of(kind_).end() && found->second.lost == lost_)
        found->second.settling = true;
}

void lease_keeper::held::renew(store::claim_token token, time_point asked)
{
    const auto found = keeper_->of(kind_).find(row_);
    if (found == keeper_->of(kind_).end() || found->second.lost != lost_) return;
    found->second.token = token;
    found->second.asked = asked;
    found->second.settling = false;
}

bool lease_keeper::held::fresh() const noexcept
{
    const auto found = keeper_->of(kind_).find(row_);
    if (found == keeper_->of(kind_).end() || found->second.lost != lost_ || *lost_) return false;
    return std::chrono::steady_clock::now() < found->second.asked + keeper_->lease_ * 4 / 5;
}

lease_keeper::held lease_keeper::hold(const store::workflow_task& task, time_point asked)
{
    entry kept;
    kept.instance = task.instance;
    kept.token = task.token;
    kept.asked = asked;
    return hold(task_kind::workflow, static_cast<std::int64_t>(task.instance), std::move(kept));
}

lease_keeper::held lease_keeper::hold(
    const store::activity_task& task, time_point asked, std::function<void(stop_reason)> stop)
{
    entry kept;
    kept.instance = task.instance;
    kept.token = task.token;
    kept.asked = asked;
    kept.stop = std::move(stop);
    return hold(task_kind::activity, task.id, std::move(kept));
}

lease_keeper::held lease_keeper::hold(task_kind kind, std::int64_t row, entry kept)
{
    held result;
    result.keeper_ = shared_from_this();
    result.kind_ = kind;
    result.row_ = row;
    result.lost_ = kept.lost;
    of(kind).insert_or_assign(row, std::move(kept));
    return result;
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
    wake_.raise();
}

asio::awaitable<void> lease_keeper::run()
{
    const auto interval = lease_ * 3 / 10;
    while (!stopping_) {
        wake_.clear();
        co_await wake_.wait_until(std::chrono::steady_clock::now() + interval);
        if (stopping_) break;
        std::exception_ptr failure;
        try {
            co_await extend_workflows();
            co_await extend_activities();
        } catch (const pg::error&) {
            failure = std::current_exception();
        }
        if (failure) engine_->database_failed("cannot extend leases", failure);
    }
}

asio::awaitable<void> lease_keeper::extend_workflows()
{
    std::vector<store::workflow_lease> leases;
    for (const auto& [row, kept] : workflows_)
        if (!*kept.lost && !kept.settling) leases.push_back({kept.instance, kept.token});
    if (leases.empty()) co_return;
    const time_point asked = std::chrono::steady_clock::now();
    const auto outcomes = co_await engine_->store().extend(leases, lease_);
    for (std::size_t i = 0; i < leases.size(); ++i)
        note(
            task_kind::workflow, static_cast<std::int64_t>(leases[i].instance), leases[i].token,
            asked, outcomes[i]);
}

asio::awaitable<void> lease_keeper::extend_activities()
{
    std::vector<store::activity_lease> leases;
    for (const auto& [row, kept] : activities_)
        if (!*kept.lost && !kept.settling) leases.push_back({kept.instance, row, kept.token});
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
    case store::extension::cancelled:
    case store::extension::held: found->second.asked = asked; return;
    case store::extension::busy: return;
    case store::extension::lost: break;
    }
    *found->second.lost = true;
    engine_->log(
        log_level::warning, "a lease was lost",
        {{kind == task_kind::workflow ? "instance" : "activity_task", std::to_string(row)}});
    const auto stop = std::exchange(found->second.stop, nullptr);
    if (stop) stop(stop_reason::lease_lost); // may end the lease: nothing of it is used any more
}

} // namespace perdure
