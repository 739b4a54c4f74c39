#include "ledger.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
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
    const auto now =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    const std::string key = activity.idempotency_key();
    co_await pool_.execute(
        insert, key, subject.id, activity.info().name, subject.cents, worker_, now);
}

void ledger::write_and_wait(perdure::activity_context activity, const order& subject)
{
    asio::co_spawn(pool_.get_executor(), write(activity, subject), asio::use_future).get();
}

} // namespace shop
