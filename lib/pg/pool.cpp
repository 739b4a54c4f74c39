#include <pg/pool_state.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <utility>

namespace perdure::pg {

namespace asio = boost::asio;

namespace detail {

/// A waiter's place in the queue, given up when its coroutine ends in whatever way; what was
/// granted and not taken goes to the next.
class pool_state::place_in_queue
{
public:
    explicit place_in_queue(pool_state& pool)
        : pool_{pool}, waiter_{std::make_shared<pool_state::waiter>(pool.executor_)}
    {
        pool_.waiters_.push_back(waiter_);
    }
    place_in_queue(const place_in_queue&) = delete;
    place_in_queue& operator=(const place_in_queue&) = delete;
    ~place_in_queue()
    {
        std::erase(pool_.waiters_, waiter_);
        if (waiter_->granted) pool_.give_back(std::move(*waiter_->granted));
        if (waiter_->may_connect) pool_.free_slot();
    }

    waiter& operator*() noexcept { return *waiter_; }

private:
    pool_state& pool_;
    std::shared_ptr<waiter> waiter_;
};

/// The right to make a connection, already counted in `open_`; given back unless a connection came
/// of it.
class pool_state::slot
{
public:
    explicit slot(pool_state& pool) noexcept : pool_{pool} {}
    slot(const slot&) = delete;
    slot& operator=(const slot&) = delete;
    ~slot()
    {
        if (!used_) pool_.free_slot();
    }
    void use() noexcept { used_ = true; }

private:
    pool_state& pool_;
    bool used_ = false;
};

asio::awaitable<pooled_connection> pool_state::acquire(std::shared_ptr<pool_state> self)
{
    if (self->closed_) self->throw_closed();
    if (self->waiters_.empty()) {
        std::optional<connection> ready = self->take_idle();
        if (ready) co_return pooled_connection{self, std::move(*ready)};
        if (self->open_ < self->options_.size()) {
            ++self->open_;
            slot mine{*self};
            connection made = co_await make(self);
            mine.use();
            co_return pooled_connection{self, std::move(made)};
        }
    }
    connection granted = co_await wait_for_turn(self);
    co_return pooled_connection{self, std::move(granted)};
}

/// Connects. The caller holds the slot, so that it is given back even if this is cancelled before
/// it begins.
asio::awaitable<connection> pool_state::make(std::shared_ptr<pool_state> self)
{
    try {
        connection made = co_await connection::connect(self->options_.connection());
        if (!self->closed_) co_return made;
    } catch (const error& e) {
        self->last_connect_error_ = e.what();
        throw;
    }
    self->throw_closed();
}

asio::awaitable<connection> pool_state::wait_for_turn(std::shared_ptr<pool_state> self)
{
    place_in_queue place{*self};
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

void pool_state::give_back(connection lent) noexcept
{
    if (closed_ || !lent.check_idle()) {
        lent.close();
        free_slot();
        return;
    }
    if (waiters_.empty()) {
        idle_.push_back(std::move(lent));
        return;
    }
    const auto first = waiters_.front();
    waiters_.pop_front();
    first->granted.emplace(std::move(lent));
    first->woken.cancel();
}

void pool_state::free_slot() noexcept
{
    if (waiters_.empty() || closed_) {
        --open_;
        return;
    }
    const auto first = waiters_.front();
    waiters_.pop_front();
    first->may_connect = true; // the slot passes on, still counted
    first->woken.cancel();
}

void pool_state::close() noexcept
{
    if (closed_) return;
    closed_ = true;
    open_ -= idle_.size();
    idle_.clear();
    for (const auto& w : waiters_) w->woken.cancel();
}

error pool_state::timed_out() const
{
    const auto time =
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.acquire_timeout()).count();
    const std::size_t others = waiters_.empty() ? 0 : waiters_.size() - 1;
    std::string text = "no connection became free within " + std::to_string(time) +
                       " ms: " + std::to_string(open_) + " of " + std::to_string(options_.size()) +
                       " in use, " + std::to_string(others) + " others waiting";
    if (!last_connect_error_.empty()) text += "; last failure to connect: " + last_connect_error_;
    return {errc::pool_timed_out, std::move(text)};
}

void pool_state::throw_closed() const
{
    throw error{errc::closed, "the pool was closed"};
}

} // namespace detail

pooled_connection::pooled_connection(
    std::shared_ptr<detail::pool_state> pool, pg::connection lent) noexcept
    : pool_{std::move(pool)}, connection_{std::move(lent)}
{}

pooled_connection::pooled_connection(pooled_connection&& other) noexcept
    : pool_{std::move(other.pool_)}, connection_{std::exchange(other.connection_, std::nullopt)}
{}

pooled_connection& pooled_connection::operator=(pooled_connection&& other) noexcept
{
    if (this != &other) {
        release();
        pool_ = std::move(other.pool_);
        connection_ = std::exchange(other.connection_, std::nullopt);
    }
    return *this;
}

pooled_connection::~pooled_connection()
{
    release();
}

void pooled_connection::release() noexcept
{
    if (!connection_) return;
    pool_->give_back(std::move(*connection_));
    connection_.reset();
    pool_.reset();
}

pool::pool(asio::any_io_executor executor, pool_options options)
    : state_{std::make_shared<detail::pool_state>(std::move(executor), std::move(options))}
{}

pool::~pool()
{
    close();
}

asio::awaitable<pooled_connection> pool::acquire()
{
    return detail::pool_state::acquire(state_);
}

asio::awaitable<pipeline_result> pool::run(pipeline statements)
{
    return run_pipeline(state_, std::move(statements));
}

asio::awaitable<pipeline_result> pool::run_pipeline(
    std::shared_ptr<detail::pool_state> state, pipeline statements)
{
    pooled_connection lent = co_await detail::pool_state::acquire(state);
    pipeline_result answered = co_await lent->run(std::move(statements));
    co_return answered;
}

asio::awaitable<result> pool::run_one(std::shared_ptr<detail::pool_state> state, pipeline one)
{
    const pipeline_result answered = co_await run_pipeline(std::move(state), std::move(one));
    co_return answered[0];
}

void pool::close() noexcept
{
    state_->close();
}

std::size_t pool::size() const noexcept
{
    return state_->size();
}

std::size_t pool::idle() const noexcept
{
    return state_->idle();
}

asio::any_io_executor pool::get_executor() const noexcept
{
    return state_->executor();
}

} // namespace perdure::pg
