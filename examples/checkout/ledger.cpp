#include "ledger.hpp"

#include <boost/asio/co_spawn.hpp>

#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

namespace shop {

namespace asio = boost::asio;
namespace pg = perdure::pg;

namespace {

// The lock lets workers that start at the same moment make the table one after the other.
constexpr char make_table[] = R"(
begin;
select pg_advisory_xact_lock(hashtextextended('shop.ledger', 0));
create schema if not exists shop;
create table if not exists shop.ledger (
    idempotency_key text primary key,
    order_id        text not null,
    kind            text not null,
    cents           bigint not null,
    worker          text not null,
    at              timestamptz not null);
commit;
)";

const pg::statement insert{R"(
insert into shop.ledger (idempotency_key, order_id, kind, cents, worker, at)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing)"};

/// How a coroutine ended, for a thread that waits for it.
struct ending
{
    std::mutex mutex;
    std::condition_variable_any changed;
    std::optional<std::exception_ptr> failure; // nothing: not yet; null: well
};

} // namespace

ledger::ledger(asio::any_io_executor executor, std::string dsn, std::string worker)
    : pool_{std::move(executor), pg::pool_options{pg::connection_options{std::move(dsn)}}},
      worker_{std::move(worker)}
{}

asio::awaitable<void> ledger::create()
{
    auto connection = co_await pool_.acquire();
    co_await connection->execute_script(make_table);
}

asio::awaitable<void> ledger::write(perdure::activity_context activity, order subject)
{
    return write_row(
        activity.idempotency_key(), activity.info().name, std::move(subject.id), subject.cents);
}

void ledger::write_and_wait(perdure::activity_context activity, const order& subject)
{
    const auto written = std::make_shared<ending>();
    asio::co_spawn(
        pool_.get_executor(), write(activity, subject), [written](std::exception_ptr failure) {
            const std::lock_guard guard{written->mutex};
            written->failure = failure;
            written->changed.notify_all();
        });
    std::unique_lock guard{written->mutex};
    const auto has_ended = [&] { return written->failure.has_value(); };
    // When an exception ends the program nobody runs the executor any more, and the worker says so.
    if (!written->changed.wait(guard, activity.stop_token(), has_ended))
        throw std::runtime_error{"told to stop while writing"};
    if (*written->failure) std::rethrow_exception(*written->failure);
}

asio::awaitable<void> ledger::write_row(
    std::string key, std::string kind, std::string order_id, std::int64_t cents)
{
    const auto now =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    co_await pool_.execute(insert, key, order_id, kind, cents, worker_, now);
}

} // namespace shop
