#include <perdure/store/announcement.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <chrono>

namespace perdure::store {

namespace json = boost::json;

namespace {

void add(std::vector<announced_queue>& queues, std::string_view queue, std::optional<timestamp> due)
{
    const auto same = std::ranges::find(queues, queue, &announced_queue::queue);
    if (same == queues.end())
        queues.push_back({std::string{queue}, due});
    else if (same->due && (!due || *due < *same->due))
        same->due = due;
}

void write(json::object& out, std::string_view member, const std::vector<announced_queue>& queues)
{
    if (queues.empty()) return;
    json::object written;
    for (const announced_queue& each : queues)
        if (each.due)
            written[each.queue] = std::int64_t{each.due->time_since_epoch().count()};
        else
            written[each.queue] = nullptr;
    out[member] = std::move(written);
}

/// Throws for anything but what `write` wrote.
void read(const json::object& from, std::string_view member, std::vector<announced_queue>& queues)
{
    const json::value* const found = from.if_contains(member);
    if (!found || found->is_null()) return;
    for (const auto& [queue, due] : found->as_object()) {
        announced_queue read{std::string{queue}, std::nullopt};
        if (!due.is_null()) read.due = timestamp{std::chrono::microseconds{due.as_int64()}};
        queues.push_back(std::move(read));
    }
}

} // namespace

announcer::~announcer() = default;

void announcer::troubled(std::string_view, const pg::error&) {}

void announcement::add_workflow_queue(std::string_view queue, std::optional<timestamp> due)
{
    add(workflow_queues, queue, due);
}

void announcement::add_activity_queue(std::string_view queue, std::optional<timestamp> due)
{
    add(activity_queues, queue, due);
}

bool announcement::empty() const noexcept
{
    return workflow_queues.empty() && activity_queues.empty() && request_queues.empty() &&
           finished.empty() && !everything;
}

std::string encode(const announcement& what)
{
    json::object out;
    if (what.everything) {
        out["e"] = true;
    } else {
        write(out, "w", what.workflow_queues);
        write(out, "a", what.activity_queues);
        write(out, "r", what.request_queues);
        if (!what.finished.empty()) {
            json::array& keys = out["f"].emplace_array();
            for (const instance_key key : what.finished)
                keys.emplace_back(static_cast<std::int64_t>(key));
        }
    }
    if (!what.from.empty()) out["s"] = what.from;
    std::string text = json::serialize(out);
    if (text.size() <= maximum_announcement) return text;
    announcement cut;
    cut.everything = true;
    cut.from = what.from;
    return encode(cut);
}

std::optional<announcement> decode_announcement(std::string_view text)
{
    announcement what;
    try {
        boost::system::error_code failure;
        const json::value parsed =
            json::parse(json::string_view{text.data(), text.size()}, failure);
        if (failure) return std::nullopt;
        const json::object& from = parsed.as_object();
        read(from, "w", what.workflow_queues);
        read(from, "a", what.activity_queues);
        read(from, "r", what.request_queues);
        if (const json::value* const finished = from.if_contains("f"))
            for (const json::value& key : finished->as_array())
                what.finished.push_back(static_cast<instance_key>(key.as_int64()));
        if (const json::value* const everything = from.if_contains("e"))
            what.everything = everything->as_bool();
        if (const json::value* const sender = from.if_contains("s"))
            what.from = std::string{sender->as_string()};
    } catch (const std::exception&) { // a member of another type than it should have
        return std::nullopt;
    }
    return what;
}

} // namespace perdure::store
