#include <perdure/store/announcement.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace perdure::store {

namespace json = boost::json;

namespace {

/// Most announcements about one topic of which something is said; whoever waits to hear of an older
/// one has looked by now.
constexpr std::size_t most_heard = 64;
/// More instances do not fit into a payload, however short their keys are.
constexpr std::size_t most_instances = maximum_announcement / 2;

void add_to(std::vector<announced_queue>& queues, announced_queue what)
{
    const auto same = std::ranges::find(queues, what.queue, &announced_queue::queue);
    if (same == queues.end()) {
        queues.push_back(std::move(what));
    } else if (same->due) {
        if (!what.due || *what.due < *same->due) *same = std::move(what);
    } else if (!what.due) {
        if (what.holders.empty()) same->holders.clear();
        if (same->holders.empty()) return; // somebody's is not known
        for (const member_id each : what.holders)
            if (std::ranges::find(same->holders, each) == same->holders.end())
                same->holders.push_back(each);
    }
}

void add_to(std::vector<heard_announcements>& heard, std::string_view topic, announcement_id id)
{
    auto same = std::ranges::find(heard, topic, &heard_announcements::topic);
    if (same == heard.end()) same = heard.insert(same, heard_announcements{std::string{topic}, {}});
    same->ids.push_back(id);
    if (same->ids.size() > most_heard) same->ids.erase(same->ids.begin());
}

void add_to(std::vector<std::string>& topics, std::string_view topic)
{
    if (std::ranges::find(topics, topic) == topics.end()) topics.emplace_back(topic);
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
        announced_queue read{std::string{queue}, std::nullopt, {}};
        if (!due.is_null()) read.due = timestamp{std::chrono::microseconds{due.as_int64()}};
        queues.push_back(std::move(read));
    }
}

template <class T>
void write(json::object& out, std::string_view member, const std::vector<T>& values)
{
    if (values.empty()) return;
    json::array& written = out[member].emplace_array();
    for (const T& each : values)
        if constexpr (std::is_enum_v<T>)
            written.emplace_back(static_cast<std::int64_t>(each));
        else
            written.emplace_back(each);
}

void write(
    json::object& out, std::string_view member, const std::vector<heard_announcements>& heard)
{
    if (heard.empty()) return;
    json::object written;
    for (const heard_announcements& each : heard) write(written, each.topic, each.ids);
    out[member] = std::move(written);
}

template <class T>
void read(const json::object& from, std::string_view member, std::vector<T>& values)
{
    const json::value* const found = from.if_contains(member);
    if (!found) return;
    for (const json::value& each : found->as_array())
        if constexpr (std::is_enum_v<T>)
            values.push_back(static_cast<T>(each.as_int64()));
        else
            values.emplace_back(each.as_string());
}

void read(
    const json::object& from, std::string_view member, std::vector<heard_announcements>& heard)
{
    const json::value* const found = from.if_contains(member);
    if (!found) return;
    for (const auto& [topic, ids] : found->as_object())
        read(
            found->as_object(), topic,
            heard.emplace_back(heard_announcements{std::string{topic}, {}}).ids);
}

void write_holders(json::object& out, const std::vector<announced_queue>& queues)
{
    json::object written;
    for (const announced_queue& each : queues) write(written, each.queue, each.holders);
    if (!written.empty()) out["h"] = std::move(written);
}

void read_holders(const json::object& from, std::vector<announced_queue>& queues)
{
    const json::value* const found = from.if_contains("h");
    if (!found || found->is_null()) return;
    for (announced_queue& each : queues) read(found->as_object(), each.queue, each.holders);
}

bool read(const json::object& from, std::string_view member)
{
    const json::value* const found = from.if_contains(member);
    return found && found->as_bool();
}

} // namespace

announcer::~announcer() = default;

void announcer::not_told(announcement_id) {}

void announcer::troubled(std::string_view, const pg::error&) {}

void announcement::add_workflow_queue(
    std::string_view queue, std::optional<timestamp> due, std::optional<member_id> holder)
{
    announced_queue what{std::string{queue}, due, {}};
    if (holder && !due) what.holders.push_back(*holder);
    add_to(workflow_queues, std::move(what));
    if (due) since = std::min(since, *due);
}

void announcement::add_activity_queue(std::string_view queue, std::optional<timestamp> due)
{
    add_to(activity_queues, {std::string{queue}, due, {}});
    if (due) since = std::min(since, *due);
}

void announcement::add_served(std::string_view topic, announcement_id which)
{
    add_to(served, topic, which);
}

void announcement::add_passed(std::string_view topic, announcement_id which)
{
    std::erase(free, topic);
    add_to(passed, topic, which);
}

void announcement::add_free(std::string_view topic)
{
    std::erase_if(passed, [&](const heard_announcements& each) { return each.topic == topic; });
    add_to(free, topic);
}

void announcement::add_joined(std::string_view topic)
{
    std::erase(left, topic);
    add_to(joined, topic);
}

void announcement::add_left(std::string_view topic)
{
    std::erase(joined, topic);
    add_to(left, topic);
}

void announcement::add(const announcement& other)
{
    for (const announced_queue& each : other.workflow_queues) add_to(workflow_queues, each);
    for (const announced_queue& each : other.activity_queues) add_to(activity_queues, each);
    for (const announced_queue& each : other.request_queues) add_to(request_queues, each);
    since = std::min(since, other.since);
    finished.insert(finished.end(), other.finished.begin(), other.finished.end());
    withdrawn.insert(withdrawn.end(), other.withdrawn.begin(), other.withdrawn.end());
    everything =
        everything || other.everything || finished.size() + withdrawn.size() > most_instances;
    if (everything) {
        finished.clear();
        withdrawn.clear();
    }
    for (const heard_announcements& each : other.served)
        for (const announcement_id which : each.ids) add_served(each.topic, which);
    for (const heard_announcements& each : other.passed)
        for (const announcement_id which : each.ids) add_passed(each.topic, which);
    for (const std::string& each : other.free) add_free(each);
    for (const std::string& each : other.joined) add_joined(each);
    for (const std::string& each : other.left) add_left(each);
}

bool announcement::empty() const noexcept
{
    return workflow_queues.empty() && activity_queues.empty() && request_queues.empty() &&
           finished.empty() && withdrawn.empty() && !everything;
}

std::string encode(const announcement& what)
{
    json::object out;
    if (what.everything) {
        out["e"] = true;
    } else {
        write(out, "w", what.workflow_queues);
        write_holders(out, what.workflow_queues);
        write(out, "a", what.activity_queues);
        write(out, "r", what.request_queues);
        if (what.since != timestamp::min() && what.since != timestamp::max())
            out["t"] = std::int64_t{what.since.time_since_epoch().count()};
        write(out, "f", what.finished);
        write(out, "c", what.withdrawn);
        if (what.id) out["o"] = static_cast<std::int64_t>(*what.id);
        if (what.sender_looks) out["q"] = true;
        write(out, "d", what.served);
        write(out, "p", what.passed);
        write(out, "v", what.free);
        write(out, "j", what.joined);
        write(out, "l", what.left);
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
        read_holders(from, what.workflow_queues);
        read(from, "a", what.activity_queues);
        read(from, "r", what.request_queues);
        const json::value* const since = from.if_contains("t");
        what.since =
            since ? timestamp{std::chrono::microseconds{since->as_int64()}} : timestamp::min();
        read(from, "f", what.finished);
        read(from, "c", what.withdrawn);
        what.everything = read(from, "e");
        if (const json::value* const id = from.if_contains("o"))
            what.id = static_cast<announcement_id>(id->as_int64());
        what.sender_looks = read(from, "q");
        read(from, "d", what.served);
        read(from, "p", what.passed);
        read(from, "v", what.free);
        read(from, "j", what.joined);
        read(from, "l", what.left);
        if (const json::value* const sender = from.if_contains("s"))
            what.from = std::string{sender->as_string()};
    } catch (const std::exception&) { // a member of another type than it should have
        return std::nullopt;
    }
    return what;
}

} // namespace perdure::store
