#include "report.hpp"

#include <algorithm>
#include <iomanip>
#include <limits>
#include <map>
#include <ostream>
#include <set>
#include <utility>

namespace demo {

namespace asio = boost::asio;
namespace pg = perdure::pg;

namespace {

const pg::statement select_ledger{R"(
select idempotency_key, order_id, kind, worker, extract(epoch from at)::float8
from shop.ledger
where starts_with(order_id, $1)
order by at)"};

const entry* find(const entries& of_order, std::string_view kind)
{
    const auto found = std::find_if(
        of_order.begin(), of_order.end(), [&](const entry* each) { return each->kind == kind; });
    return found == of_order.end() ? nullptr : *found;
}

/// What an order with this outcome should have in the ledger and has not, or has and should not
/// have.
std::string missing(const order_story& order, const entries& of_order)
{
    const bool charged = find(of_order, "charge") != nullptr;
    switch (order.result) {
    case outcome::none: return "has no result";
    case outcome::declined: return charged ? "was declined but charged" : "";
    case outcome::shipped:
        return !charged ? "was never charged" : !find(of_order, "ship") ? "was never shipped" : "";
    case outcome::refunded:
        return !charged                    ? "was never charged"
               : !find(of_order, "refund") ? "was never refunded"
                                           : "";
    }
    return "";
}

double percentile(const std::vector<double>& sorted, double share)
{
    if (sorted.empty()) return 0;
    const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
    return sorted[std::min(index, sorted.size() - 1)];
}

} // namespace

asio::awaitable<std::vector<entry>> read_ledger(pg::pool& database, std::string prefix)
{
    const pg::result rows = co_await database.execute(select_ledger, prefix);
    std::vector<entry> ledger;
    for (auto [key, order, kind, worker, at] :
         rows.rows<std::string, std::string, std::string, std::string, double>())
        ledger.push_back({key, order, kind, worker, at});
    co_return ledger;
}

report::report(const story& seen, const std::vector<entry>& ledger, std::chrono::milliseconds lease)
{
    std::map<std::string, entries> by_order;
    for (const entry& each : ledger) by_order[each.order].push_back(&each);
    for (const auto& [id, order] : seen.orders) {
        const entries& done = by_order[id];
        check(id, order, done);
        measure(seen, order, done, lease);
    }
    for (std::size_t placed = seen.orders.size(); placed < seen.expected; ++placed)
        lost.emplace_back("an order of the file was never placed");
    std::sort(wake_ups.begin(), wake_ups.end());
}

void report::check(const std::string& id, const order_story& order, const entries& done)
{
    const std::string problem = missing(order, done);
    if (!problem.empty()) lost.push_back(id + " " + problem);

    std::map<std::string_view, std::size_t> kinds;
    for (const entry* each : done) ++kinds[each->kind];
    for (const auto& [kind, count] : kinds)
        if (count > 1)
            twice.push_back(id + ": " + std::to_string(count) + " of " + std::string{kind});
    const entry* const charge = find(done, "charge");
    if (charge && !order.payment.empty() && order.payment != charge->key)
        twice.push_back(id + ": receipt for " + order.payment + ", charged under " + charge->key);
}

void report::measure(
    const story& seen, const order_story& order, const entries& done,
    std::chrono::milliseconds lease)
{
    std::set<std::string_view> workers;
    for (const entry* each : done) workers.insert(each->worker);
    if (workers.size() > 1) ++changed_worker;

    const double killed_at = seen.killed_at.value_or(std::numeric_limits<double>::infinity());
    if (order.placed_at < killed_at && order.finished_at > killed_at) {
        ++in_flight;
        in_flight_done = std::max(in_flight_done, (order.finished_at - killed_at) * 1000);
    }
    const entry* const charge = find(done, "charge");
    const double margin = 0.5;
    const double taken_over = std::chrono::duration<double>{lease}.count() + margin;
    const bool at_kill =
        order.placed_at > killed_at - margin && order.placed_at < killed_at + taken_over;
    if (charge && !at_kill) wake_ups.push_back((charge->at - order.placed_at) * 1000);
}

void print(
    std::ostream& out, const story& seen, const report& result, std::chrono::milliseconds lease)
{
    const auto line = [&](std::string_view name, const auto& value) -> std::ostream& {
        return out << std::left << std::setw(22) << name << std::right << std::setw(6) << value;
    };
    out << std::fixed << std::setprecision(1);
    line("orders in", seen.orders.size()) << '\n';
    line("broken records", seen.broken.size()) << "   reported and skipped:\n";
    for (const std::string& broken : seen.broken) out << "    " << broken << '\n';
    line("receipts out", seen.count(outcome::shipped) + seen.count(outcome::refunded))
        << "   " << seen.count(outcome::shipped) << " shipped, " << seen.count(outcome::refunded)
        << " refunded\n";
    line("declined", seen.count(outcome::declined)) << '\n';
    line("lost", result.lost.size()) << '\n';
    for (const std::string& lost : result.lost) out << "    " << lost << '\n';
    line("charged twice", result.twice.size()) << '\n';
    for (const std::string& twice : result.twice) out << "    " << twice << '\n';
    line("changed worker", result.changed_worker) << "   orders on which both workers worked\n";
    line("wake-up p50, ms", percentile(result.wake_ups, 0.50))
        << "   from the client's start call to the first line of the charge\n";
    line("wake-up p99, ms", percentile(result.wake_ups, 0.99))
        << "   (" << result.wake_ups.size() << " orders"
        << (seen.killed_at ? ", those placed around the kill left out" : "") << ")\n";
    if (seen.killed_at)
        line("in flight at the kill", result.in_flight)
            << "   done " << std::setprecision(0) << result.in_flight_done
            << " ms after it: what the dead worker held waits for the end of its lease, "
            << lease.count() << " ms\n";
}

} // namespace demo
