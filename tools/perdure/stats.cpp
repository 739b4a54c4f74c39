#include "commands.hpp"
#include "json.hpp"
#include "session.hpp"
#include "table.hpp"

#include <boost/json/serialize.hpp>

#include <array>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace perdure::tool {

namespace asio = boost::asio;

namespace {

asio::awaitable<void> print_statistics(client from, format how)
{
    const store::statistics counted = co_await from.statistics();
    if (how == format::json) {
        std::cout << boost::json::serialize(to_json(counted)) << '\n';
        co_return;
    }
    std::cout << "active instances  " << counted.active_instances << '\n';
    if (counted.queues.empty()) co_return;
    std::cout << '\n';
    std::vector<std::array<std::string, 3>> rows{{"QUEUE", "WORKFLOWS", "ACTIVITIES"}};
    for (const store::queue_statistics& each : counted.queues)
        rows.push_back(
            {each.queue, std::to_string(each.workflow_tasks), std::to_string(each.activity_tasks)});
    print_table(rows);
}

} // namespace

void stats(const target& where, format how)
{
    run_with_client(where, [&](client from) { return print_statistics(std::move(from), how); });
}

} // namespace perdure::tool
