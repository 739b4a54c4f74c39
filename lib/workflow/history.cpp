#include <perdure/workflow/history.hpp>

#include "base64.hpp"
#include "time_text.hpp"

#include <perdure/workflow/error.hpp>
#include <perdure/workflow/payload_reader.hpp>
#include <perdure/workflow/payload_writer.hpp>

#include <limits>
#include <utility>

namespace perdure {

namespace {

constexpr std::int64_t largest = std::numeric_limits<std::int32_t>::max();

std::string encode_event(const event& from)
{
    payload_writer to;
    to.begin_object();
    to.key("type");
    to.string(to_string(from.type));
    if (from.operation != 0) {
        to.key("operation");
        to.integer(from.operation);
    }
    if (!from.name.empty()) {
        to.key("name");
        to.string(from.name);
    }
    to.key("at");
    to.string(detail::to_time_text(from.at));
    if (from.due) {
        to.key("due");
        to.string(detail::to_time_text(*from.due));
    }
    if (from.data.coded()) {
        to.key("coded");
        to.binary(from.data.span());
    } else if (!from.data.empty()) {
        to.key("data");
        to.raw(payload_document(from.data).root().to_text());
    }
    to.end_object();
    return to.take();
}

timestamp read_time(const payload_reader& from)
{
    const std::optional<timestamp> instant = detail::parse_time_text(from.string());
    if (!instant) from.refuse("a time like 2026-01-31T12:00:00.000000Z");
    return *instant;
}

event read_event(const payload_reader& from)
{
    event result;
    const payload_reader type = from.member("type");
    const std::optional<event_type> known = parse_event_type(type.string());
    if (!known) type.refuse("the type of an event that this version knows");
    result.type = *known;
    result.at = read_time(from.member("at"));
    if (const auto operation = from.find("operation")) {
        result.operation = static_cast<std::int32_t>(operation->integer(0, largest));
    }
    if (const auto name = from.find("name")) result.name = name->string();
    if (const auto due = from.find("due")) result.due = read_time(*due);
    if (const auto data = from.find("data")) result.data = payload::from_text(data->to_text());
    if (const auto coded = from.find("coded")) result.data = payload::from_bytes(coded->binary());
    return result;
}

} // namespace

std::string encode_history(const history_document& from)
{
    payload_writer to;
    to.begin_object();
    to.key("version");
    to.integer(history_version);
    to.key("id");
    to.string(from.id);
    to.key("workflow");
    to.string(from.workflow);
    to.key("run");
    to.integer(from.run);
    to.key("events");
    std::string events = "[";
    for (const event& each : from.events)
        events += (events.size() == 1 ? "\n" : ",\n") + encode_event(each);
    to.raw(events + "\n]");
    to.end_object();
    return to.take() + "\n";
}

history_document decode_history(std::string_view text)
{
    const payload_document document(payload::from_text(std::string(text)));
    const payload_reader root = document.root();
    const payload_reader version = root.member("version");
    if (version.integer(0, largest) != history_version) {
        throw error(
            errc::malformed_payload, "the history document is of version " + version.to_text() +
                                         "; this library reads version " +
                                         std::to_string(history_version));
    }
    history_document result;
    result.id = root.member("id").string();
    result.workflow = root.member("workflow").string();
    result.run = static_cast<std::int32_t>(root.member("run").integer(1, largest));
    const payload_reader events = root.member("events");
    for (std::size_t i = 0, size = events.array_size(); i != size; ++i) {
        result.events.push_back(read_event(events.element(i)));
    }
    return result;
}

} // namespace perdure
