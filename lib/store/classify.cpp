#include <store/classify.hpp>

#include <charconv>
#include <string_view>

namespace perdure::store {

namespace {

constexpr std::string_view fence_state = "PD001";

batch_failure classify_server_error(const pg::error& failure)
{
    const std::string_view state = failure.sqlstate();
    if (state == fence_state) return batch_failure::fenced;
    if (state == "40001" || state == "40P01" ||
        state == "26000") // a proxy dropped a prepared statement, which is prepared anew
        return batch_failure::conflict;
    if (state == "55P03") return batch_failure::locked;
    if (state == "57014") return batch_failure::slow; // our own statement_timeout
    if (failure.in_class("08") || failure.in_class("57")) return batch_failure::unknown;
    if (failure.in_class("53") || failure.in_class("55") || failure.in_class("58") ||
        state == "25006") // a standby, after a failover
        return batch_failure::unavailable;
    return batch_failure::refused;
}

} // namespace

std::optional<batch_failure> classify(const pg::error& failure)
{
    switch (static_cast<pg::errc>(failure.code().value())) {
    case pg::errc::connection_lost:
    case pg::errc::response_timed_out:
    case pg::errc::commit_unknown: return batch_failure::unknown;
    case pg::errc::connect_failed:
    case pg::errc::connect_timed_out:
    case pg::errc::pool_timed_out: return batch_failure::unavailable;
    case pg::errc::server_error: return classify_server_error(failure);
    default: return std::nullopt;
    }
}

std::vector<std::size_t> losers_of(const pg::error& failure)
{
    std::vector<std::size_t> positions;
    const std::string_view text = failure.diagnostics().detail;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
        std::size_t position = 0;
        const auto [stop, error] = std::from_chars(at, end, position);
        if (error != std::errc{}) break;
        positions.push_back(position);
        at = stop == end ? stop : stop + 1;
    }
    return positions;
}

} // namespace perdure::store
