#include <pg/transaction.hpp>

#include <pg/row_stream.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace perdure::pg {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

std::string begin_sql(const transaction_options& options)
{
    std::string sql = "begin isolation level ";
    switch (options.isolation()) {
    case isolation::read_committed: sql += "read committed"; break;
    case isolation::repeatable_read: sql += "repeatable read"; break;
    case isolation::serializable: sql += "serializable"; break;
    }
    return sql + (options.access() == access::read_only ? " read only" : " read write");
}

/// What begins a transaction: one round trip.
pipeline begin_pipeline(const transaction_options& options)
{
    static const statement set_local{"select set_config($1, $2, true)"};
    pipeline p;
    p.add(statement{begin_sql(options)});
    if (options.statement_timeout())
        p.add(set_local, "statement_timeout", std::to_string(options.statement_timeout()->count()));
    if (options.lock_timeout())
        p.add(set_local, "lock_timeout", std::to_string(options.lock_timeout()->count()));
    return p;
}

} // namespace

transaction::state::state(
    std::shared_ptr<connection::session> s, std::shared_ptr<void> owner) noexcept
    : owner_{std::move(owner)},
      session_{std::move(s)},
      response_timeout_{session_->response_timeout()}
{}

transaction::state::~state()
{
    if (session_) session_->response_timeout(response_timeout_);
}

asio::awaitable<transaction> transaction::state::open(
    std::shared_ptr<connection::session> s, transaction_options options,
    std::shared_ptr<void> owner)
{
    if (s->in_transaction()) throw std::logic_error{"a connection has one transaction at a time"};
    auto made = std::make_shared<state>(s, std::move(owner));
    const auto statement_timeout = options.statement_timeout().value_or(0ms);
    if (options.statement_timeout() && statement_timeout == 0ms)
        s->response_timeout(std::chrono::steady_clock::duration::max());
    else
        s->response_timeout(std::max<std::chrono::steady_clock::duration>(
            s->response_timeout(), statement_timeout + 10s));
    co_await connection::session::run(s, begin_pipeline(options));
    co_return transaction{std::move(made)};
}

connection::session::pointer transaction::state::session(const std::shared_ptr<state>& self)
{
    if (!self || !self->is_open()) throw error{errc::closed, "the transaction has ended before"};
    return self->session_;
}

void transaction::state::let_go() noexcept
{
    if (!session_ || is_open()) return;
    session_->response_timeout(response_timeout_);
    session_.reset();
    owner_.reset();
}

transaction::transaction(std::shared_ptr<state> s) noexcept : state_{std::move(s)} {}

transaction::transaction(transaction&&) noexcept = default;

transaction& transaction::operator=(transaction&&) noexcept = default;

transaction::~transaction() = default;

bool transaction::open() const noexcept
{
    return state_ && state_->is_open();
}

asio::awaitable<pipeline_result> transaction::run(pipeline statements)
{
    return run_all(state_, std::move(statements));
}

asio::awaitable<pipeline_result> transaction::run_all(
    std::shared_ptr<state> self, pipeline statements)
{
    pipeline_result answered =
        co_await connection::session::run(state::session(self), std::move(statements));
    self->let_go();
    co_return answered;
}

asio::awaitable<result> transaction::run_one(std::shared_ptr<state> self, pipeline one)
{
    const pipeline_result answered = co_await run_all(std::move(self), std::move(one));
    co_return answered[0];
}

asio::awaitable<row_stream> transaction::open_stream(std::shared_ptr<state> self, pipeline one)
{
    const std::shared_ptr<connection::session> session = state::session(self);
    row_stream rows = co_await row_stream::state::open(session, std::move(one), std::move(self));
    co_return rows;
}

asio::awaitable<void> transaction::commit()
{
    pipeline last;
    last.commit();
    co_await run_all(state_, std::move(last));
}

asio::awaitable<void> transaction::rollback()
{
    return roll_back(state_);
}

asio::awaitable<void> transaction::roll_back(std::shared_ptr<state> self)
{
    static const statement rollback{"rollback"};
    if (!self) co_return; // moved from
    self->rolled_back = true;
    if (self->is_open()) {
        pipeline last;
        last.add(rollback);
        co_await connection::session::run(state::session(self), std::move(last));
    }
    self->let_go();
}

/// What follows a function that used this and returned. One that ended in another way, or was moved
/// away, does not pass for a commit.
asio::awaitable<void> transaction::commit_unless_rolled_back()
{
    if (state_ && state_->rolled_back) co_return;
    co_await commit();
}

} // namespace perdure::pg
