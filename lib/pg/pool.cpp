#include <perdure/pg/pool.hpp>

#include <pg/pool_state.hpp>
#include <pg/row_stream.hpp>
#include <pg/transaction.hpp>

#include <utility>

namespace perdure::pg {

namespace asio = boost::asio;

pooled_connection::pooled_connection(
    std::shared_ptr<detail::pool_state> pool, pg::connection lent, pool_priority priority) noexcept
    : pool_{std::move(pool)}, connection_{std::move(lent)}, priority_{priority}
{}

pooled_connection::pooled_connection(pooled_connection&& other) noexcept
    : pool_{std::move(other.pool_)},
      connection_{std::exchange(other.connection_, std::nullopt)},
      priority_{other.priority_}
{}

pooled_connection& pooled_connection::operator=(pooled_connection&& other) noexcept
{
    if (this != &other) {
        release();
        pool_ = std::move(other.pool_);
        connection_ = std::exchange(other.connection_, std::nullopt);
        priority_ = other.priority_;
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
    const auto pool = std::move(pool_);
    connection lent = std::move(*connection_);
    connection_.reset();
    pool->give_back(std::move(lent), priority_);
}

pool::pool(asio::any_io_executor executor, pool_options options)
    : state_{std::make_shared<detail::pool_state>(std::move(executor), std::move(options))}
{}

pool::~pool()
{
    close();
}

asio::awaitable<pooled_connection> pool::acquire(pool_priority priority)
{
    return detail::pool_state::acquire(state_, priority);
}

asio::awaitable<pipeline_result> pool::run(pipeline statements, pool_priority priority)
{
    return run_pipeline(state_, std::move(statements), priority);
}

asio::awaitable<pipeline_result> pool::run_pipeline(
    std::shared_ptr<detail::pool_state> state, pipeline statements, pool_priority priority)
{
    pooled_connection lent = co_await detail::pool_state::acquire(state, priority);
    pipeline_result answered = co_await lent->run(std::move(statements));
    co_return answered;
}

asio::awaitable<result> pool::run_one(std::shared_ptr<detail::pool_state> state, pipeline one)
{
    const pipeline_result answered =
        co_await run_pipeline(std::move(state), std::move(one), pool_priority::normal);
    co_return answered[0];
}

asio::awaitable<row_stream> pool::open_stream(
    std::shared_ptr<detail::pool_state> state, pipeline one)
{
    pooled_connection lent = co_await detail::pool_state::acquire(state, pool_priority::normal);
    auto owner = std::make_shared<pooled_connection>(std::move(lent));
    const auto session = (*owner)->session_;
    row_stream rows = co_await row_stream::state::open(session, std::move(one), std::move(owner));
    co_return rows;
}

asio::awaitable<transaction> pool::begin(transaction_options options, pool_priority priority)
{
    return begin_on(state_, options, priority);
}

asio::awaitable<transaction> pool::begin_on(
    std::shared_ptr<detail::pool_state> state, transaction_options options, pool_priority priority)
{
    pooled_connection lent = co_await detail::pool_state::acquire(state, priority);
    auto owner = std::make_shared<pooled_connection>(std::move(lent));
    const auto session = (*owner)->session_;
    pg::transaction open = co_await transaction::state::open(session, options, std::move(owner));
    co_return open;
}

bool pool::worth_repeating(const error& e) noexcept
{
    return e.code() == make_error_code(errc::server_error) &&
           (e.sqlstate() == "40001" || e.sqlstate() == "40P01");
}

void pool::close() noexcept
{
    state_->close();
}

pool_statistics pool::statistics() const noexcept
{
    return state_->statistics();
}

asio::any_io_executor pool::get_executor() const noexcept
{
    return state_->executor();
}

} // namespace perdure::pg
