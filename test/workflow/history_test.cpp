// History documents.
#include "expect.hpp"

#include <perdure/workflow/history.hpp>

using namespace perdure;
using namespace std::chrono_literals;

namespace {

std::string document_with(const std::string& events)
{
    return R"({"version":1,"id":"order-1","workflow":"checkout","run":1,"events":)" + events + "}";
}

std::string refused(const std::string& text)
{
    return refusal(errc::malformed_payload, [&] { (void)decode_history(text); });
}

} // namespace

TEST_CASE("a history document reads back as the same history")
{
    const timestamp at =
        std::chrono::sys_days(std::chrono::year(2024) / 2 / 29) + 23h + 59min + 58s + 7us;
    history_document document{"order \"1\"", "checkout", 3, {}};
    for (int type = 0; type <= static_cast<int>(event_type::workflow_continued); ++type) {
        document.events.push_back(
            {static_cast<event_type>(type),
             type,
             "charge",
             payload::from_text(R"([1,"x",9007199254740993,0.1])"),
             at,
             {}});
    }
    document.events.push_back({event_type::timer_started, 7, {}, {}, at, at + 24h});
    document.events.push_back(
        {event_type::signal_received,
         0,
         "go",
         payload::from_text(std::string("\0\xff\x01", 3)),
         at,
         {}});
    const std::string text = encode_history(document);
    CHECK(decode_history(text) == document);
    CHECK(encode_history(decode_history(text)) == text);
    CHECK(
        text.find(R"("at":"2024-02-29T23:59:58.000007Z","due":"2024-03-01T23:59:58.000007Z")") !=
        std::string::npos);
}

TEST_CASE("a document of another version, or with unknown events, is refused with the reason")
{
    CHECK(
        refused(R"({"version":2,"id":"a","workflow":"w","run":1,"events":[]})") ==
        "the history document is of version 2; this library reads version 1");
    CHECK(
        refused(document_with(R"([{"type":"coffee","at":"2024-02-29T23:59:58.000007Z"}])")) ==
        ".events[0].type: expected the type of an event that this version knows, found a string");
    CHECK(
        refused(document_with(R"([{"type":"timer_fired","at":"2023-02-29T00:00:00.000000Z"}])")) ==
        ".events[0].at: expected a time like 2026-01-31T12:00:00.000000Z, found a string");
    CHECK(refused(document_with(R"([{"type":"timer_fired"}])")) == ".events[0].at is missing");
    CHECK(refused("[]") == "expected an object, found array of 0");
    CHECK(
        refused(
            document_with(
                R"([{"type":"timer_fired","at":"2024-01-01T00:00:00.000000Z","operation":-1}])"))
            .find(".events[0].operation: expected an integer from 0") == 0);
}

TEST_CASE("unknown members of a history document are ignored")
{
    const history_document document = decode_history(
        R"({"version":1,"id":"a","workflow":"w","run":1,"events":[{"type":"workflow_started","at":"1970-01-01T00:00:00.000001Z","new":[]}],"more":{}})");
    REQUIRE(document.events.size() == 1);
    CHECK(document.events[0].at == timestamp(1us));
}

TEST_CASE("the names of events are those that are stored")
{
    const char* names[] = {"workflow_started",   "workflow_task",      "activity_scheduled",
                           "activity_completed", "activity_failed",    "timer_started",
                           "timer_fired",        "timer_cancelled",    "signal_received",
                           "side_effect",        "workflow_completed", "workflow_failed",
                           "workflow_continued"};
    int value = 0;
    for (const char* name : names) {
        CHECK(to_string(static_cast<event_type>(value)) == name);
        CHECK(parse_event_type(name) == static_cast<event_type>(value));
        ++value;
    }
    CHECK(!parse_event_type("workflow_paused"));
}
