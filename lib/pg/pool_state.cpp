#include <pg/pool_state.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <exception>
#include <tuple>
#include <utility>

namespace perdure::pg::detail {

namespace asio = boost::asio;

namespace {

asio::awaitable<void> connect_into(
    std::shared_ptr<std::optional<connection>> made, connection_options options)
{
    made->emplace(co_await connection::connect(std::move(options)));
}

} // namespace

/// A waiter's place in the queue, given up when its coroutine ends in whatever way; what was
/// granted and not taken goes to the next.
class pool_state::place_in_queue
{
public:
    place_in_queue(pool_state& pool, pool_priority priority)
        : pool_{pool}, waiter_{std::make_shared<pool_state::waiter>(pool.executor_, priority)}
    {
        pool_.waiters(priority).push_back(waiter_);
    }
    place_in_queue(const place_in_queue&) = delete;
    place_in_queue& operator=(const place_in_queue&) = delete;
    ~place_in_queue()
    {
        std::erase(pool_.waiters(waiter_->priority), waiter_);
        if (waiter_->granted) pool_.give_back(std::move(*waiter_->granted), waiter_->priority);
        if (waiter_->may_connect) pool_.free_slot(waiter_->priority);
    }

    waiter& operator*() noexcept { return *waiter_; }

private:
    pool_state& pool_;
    std::shared_ptr<waiter> waiter_;
};

/// The right to make a connection, already counted; given back unless a connection came of it.
class pool_state::slot
{
public:
    slot(pool_state& pool, pool_priority priority) noexcept : pool_{pool}, priority_{priority} {}
    slot(const slot&) = delete;
    slot& operator=(const slot&) = delete;
    ~slot()
    {
        if (!used_) pool_.free_slot(priority_);
    }
    void use() noexcept { used_ = true; }

private:
    pool_state& pool_;
    pool_priority priority_;
    bool used_ = false;
};

/// A dirty connection, and for whom it was lent.
struct pool_state::cleaning
{
    cleaning(connection d, pool_priority p) noexcept : dirty{std::move(d)}, priority{p} {}

    connection dirty;
    pool_priority priority;
};

pool_state::pool_state(asio::any_io_executor executor, pool_options options)
    : executor_{std::move(executor)},
      options_{std::move(options)},
      closing_{executor_, asio::steady_timer::time_point::max()}
{
    idle_.reserve(options_.size()); // giving back must not fail
}

asio::awaitable<pooled_connection> pool_state::acquire(
    std::shared_ptr<pool_state> self, pool_priority priority)
{
    if (self->closed_) self->throw_closed();
    if (!self->somebody_waits(priority) && self->may_take(priority)) {
        std::optional<connection> ready = self->take_idle();
        if (ready) {
            self->take(priority);
            co_return pooled_connection{self, std::move(*ready), priority};
        }
        if (self->open_ < self->options_.size()) {
            ++self->open_;
            self->take(priority);
            slot mine{*self, priority};
            connection made = co_await make(self);
            mine.use();
            co_return pooled_connection{self, std::move(made), priority};
        }
    }
    connection granted = co_await wait_for_turn(self, priority);
    co_return pooled_connection{self, std::move(granted), priority};
}

/// Connects, unless the pool is closed first. The caller holds the slot, so that it is given back
/// even if this is cancelled before it begins.
asio::awaitable<connection> pool_state::make(std::shared_ptr<pool_state> self)
{
    const auto made = std::make_shared<std::optional<connection>>();
    auto both = asio::experimental::make_parallel_group(
        asio::co_spawn(
            self->executor_, connect_into(made, self->options_.connection()), asio::deferred),
        self->closing_.async_wait(asio::deferred));
    const auto outcome =
        co_await both.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    const auto& [order, failure, closing] = outcome;
    if (self->closed_) self->throw_closed();
    try {
        if (failure) std::rethrow_exception(failure);
    } catch (const error& e) {
        self->last_connect_error_ = e.what();
        throw;
    }
    co_return std::move(**made);
}

asio::awaitable<connection> pool_state::wait_for_turn(
    std::shared_ptr<pool_state> self, pool_priority priority)
{
    place_in_queue place{*self, priority};
    (*place).woken.expires_after(self->options_.acquire_timeout());
    boost::system::error_code ended;
    co_await (*place).woken.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    if (self->closed_) self->throw_closed();
    if ((*place).granted) {
        connection granted = std::move(*(*place).granted);
        (*place).granted.reset();
        co_return granted;
    }
    if ((*place).may_connect) {
        connection made = co_await make(self);
        (*place).may_connect = false;
        co_return made;
    }
    if (ended) throw boost::system::system_error{asio::error::operation_aborted};
    throw self->timed_out();
}

bool pool_state::may_take(pool_priority priority) const noexcept
{
    if (priority == pool_priority::critical) return true;
    const std::size_t reserved = std::min(options_.reserve(), options_.size() - 1);
    return normal_ < options_.size() - reserved;
}

/// True if somebody is to be served before one who comes now with this priority.
bool pool_state::somebody_waits(pool_priority priority) const noexcept
{
    return !critical_.empty() || (priority == pool_priority::normal && !others_.empty());
}

void pool_state::take(pool_priority priority) noexcept
{
    if (priority == pool_priority::normal) ++normal_;
}

void pool_state::put(pool_priority priority) noexcept
{
    if (priority == pool_priority::normal) --normal_;
}

pool_state::queue& pool_state::waiters(pool_priority priority) noexcept
{
    return priority == pool_priority::critical ? critical_ : others_;
}

std::optional<connection> pool_state::take_idle() noexcept
{
    while (!idle_.empty()) {
        connection last =
            std::move(idle_.back()); // the one used last is the one most likely to be warm
        idle_.pop_back();
        if (last.check_idle()) return last;
        --open_; // the server ended it while nobody looked
    }
    return std::nullopt;
}

void pool_state::give_back(connection lent, pool_priority priority) noexcept
{
    const bool clean = !closed_ && lent.check_idle();
    // The janitor may need seconds when the server is silent: too long for the reserve to be gone.
    const bool worth_cleaning = priority != pool_priority::critical && lent.recoverable() &&
                                options_.janitor_timeout().count() > 0;
    if (!clean && !closed_ && worth_cleaning) {
        try {
            begin_cleaning(std::move(lent), priority);
            return;
        } catch (...) { // dropped below
        }
    }
    if (clean) {
        lent.response_timeout(options_.connection().response_timeout());
        idle_.push_back(std::move(lent));
        put(priority);
        serve_waiters();
    } else {
        lent.close();
        free_slot(priority);
    }
}

void pool_state::free_slot(pool_priority priority) noexcept
{
    --open_;
    put(priority);
    serve_waiters();
}

/// Grants what is free, an idle connection or the right to make one.
void pool_state::serve_waiters() noexcept
{
    if (closed_) return;
    while (!critical_.empty() && serve_first(pool_priority::critical)) {}
    while (critical_.empty() && !others_.empty() && serve_first(pool_priority::normal)) {}
}

bool pool_state::serve_first(pool_priority priority) noexcept
{
    if (!may_take(priority)) return false;
    queue& waiting = waiters(priority);
    std::optional<connection> ready = take_idle();
    if (!ready && open_ >= options_.size()) return false;
    const auto first = waiting.front();
    waiting.pop_front();
    take(priority);
    if (ready) {
        first->granted.emplace(std::move(*ready));
    } else {
        ++open_;
        first->may_connect = true;
    }
    first->woken.cancel();
    return true;
}

/// Hands a dirty connection to the janitor: it still counts as lent until that has ended.
void pool_state::begin_cleaning(connection dirty, pool_priority priority)
{
    auto job = std::make_shared<cleaning>(std::move(dirty), priority);
    dirty_.push_back(job);
    auto ended = [self = shared_from_this(), job](std::exception_ptr) { self->end_cleaning(job); };
    try {
        asio::co_spawn(executor_, clean_up(shared_from_this(), job), std::move(ended));
    } catch (...) {
        dirty_.remove(job);
        throw;
    }
}

/// Recovers it, unless the pool is closed first. The handler of a timer cancels it: a signal that
/// is emitted from outside the executor may reach it when it has just ended.
asio::awaitable<void> pool_state::clean_up(
    std::shared_ptr<pool_state> self, std::shared_ptr<cleaning> job)
{
    if (self->closed_) co_return;
    auto both = asio::experimental::make_parallel_group(
        asio::co_spawn(
            self->executor_, job->dirty.recover(self->options_.janitor_timeout()), asio::deferred),
        self->closing_.async_wait(asio::deferred));
    co_await both.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
}

void pool_state::end_cleaning(const std::shared_ptr<cleaning>& job) noexcept
{
    dirty_.remove(job);
    if (!job->dirty.clean()) job->dirty.close(); // never a second time
    give_back(std::move(job->dirty), job->priority);
}

void pool_state::close() noexcept
{
    if (closed_) return;
    closed_ = true;
    closing_.cancel();
    open_ -= idle_.size();
    idle_.clear();
    for (const auto& w : critical_) w->woken.cancel();
    for (const auto& w : others_) w->woken.cancel();
}

pool_statistics pool_state::statistics() const noexcept
{
    pool_statistics now;
    now.size = open_;
    now.idle = idle_.size();
    now.cleaning = dirty_.size();
    now.waiting = critical_.size() + others_.size();
    return now;
}

error pool_state::timed_out() const
{
    const auto time =
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.acquire_timeout()).count();
    const std::size_t waiting = critical_.size() + others_.size();
    const std::size_t others = waiting == 0 ? 0 : waiting - 1;
    std::string text = "no connection became free within " + std::to_string(time) +
                       " ms: " + std::to_string(open_ - idle_.size()) + " of " +
                       std::to_string(options_.size()) + " in use, " + std::to_string(others) +
                       " others waiting";
    if (!idle_.empty()) text += ", " + std::to_string(idle_.size()) + " kept in reserve";
    if (!last_connect_error_.empty()) text += "; last failure to connect: " + last_connect_error_;
    return {errc::pool_timed_out, std::move(text)};
}

void pool_state::throw_closed() const
{
    throw error{errc::closed, "the pool was closed"};
}

} // namespace perdure::pg::detail
