// What is sent by NOTIFY, and read again.
#include <perdure/store/announcement.hpp>

#include <doctest/doctest.h>

using namespace perdure;
using namespace perdure::store;

TEST_CASE("an announcement survives its encoding")
{
    announcement what;
    what.add_workflow_queue("now", {}, member_id{5});
    what.add_workflow_queue(
        "later", timestamp{std::chrono::microseconds{1'700'000'000'123'456}}, member_id{6});
    what.add_activity_queue("quote\"d");
    what.request_queues.push_back({});
    what.finished = {static_cast<instance_key>(9007199254740993), static_cast<instance_key>(2)};
    what.withdrawn = {static_cast<instance_key>(3)};
    what.from = "me";
    what.id = announcement_id{4'000'000'000};
    what.sender_looks = true;
    what.served = {{"w:now", {announcement_id{1}, announcement_id{4'294'967'295}}}};
    what.passed = {{"a:x", {announcement_id{2}}}, {"a:y", {announcement_id{3}}}};
    what.free = {"w:now"};
    what.joined = {"w:a", "a:b"};
    what.left = {"w:c"};
    what.since = std::min(what.since, timestamp{std::chrono::microseconds{7}});
    const auto read = decode_announcement(encode(what));
    REQUIRE(read);
    CHECK(read->withdrawn == what.withdrawn);
    CHECK(read->id == what.id);
    CHECK(read->sender_looks);
    REQUIRE(read->served.size() == 1);
    CHECK(read->served[0].topic == "w:now");
    CHECK(read->served[0].ids == what.served[0].ids);
    REQUIRE(read->passed.size() == 2);
    CHECK(read->passed[1].topic == "a:y");
    CHECK(read->passed[1].ids == what.passed[1].ids);
    CHECK(read->free == what.free);
    CHECK(read->joined == what.joined);
    CHECK(read->left == what.left);
    REQUIRE(read->workflow_queues.size() == 2);
    CHECK(read->workflow_queues[0].queue == "now");
    CHECK_FALSE(read->workflow_queues[0].due);
    CHECK(read->workflow_queues[0].holders == std::vector{member_id{5}});
    CHECK(read->workflow_queues[1].holders.empty()); // instants have an order of their own
    CHECK(read->workflow_queues[1].due == what.workflow_queues[1].due);
    REQUIRE(read->activity_queues.size() == 1);
    CHECK(read->activity_queues[0].queue == "quote\"d");
    REQUIRE(read->request_queues.size() == 1);
    CHECK(read->request_queues[0].queue == "");
    CHECK_FALSE(read->request_queues[0].due);
    CHECK(read->finished == what.finished);
    CHECK_FALSE(read->everything);
    CHECK(read->from == "me");
    CHECK(read->since == what.since);
}

TEST_CASE("an announcement says how early its tasks may be claimed, or nothing of it")
{
    const timestamp early{std::chrono::microseconds{1}};
    const timestamp late{std::chrono::microseconds{2}};
    announcement what;
    what.since = late;
    what.add_workflow_queue("q");
    what.add_workflow_queue("q", early); // a timer that is past already
    CHECK(what.since == early);
    CHECK(decode_announcement(encode(what))->since == early);
    announcement others;
    others.since = timestamp::min(); // of somebody who does not know
    others.add_activity_queue("q");
    what.add(others);
    CHECK(what.since == timestamp::min());
    CHECK(encode(what).find("\"t\"") == std::string::npos);
    CHECK(decode_announcement(encode(what))->since == timestamp::min());
}

TEST_CASE("of two instants of a queue the earlier is announced, and now is the earliest")
{
    announcement what;
    const timestamp early{std::chrono::microseconds{1}};
    const timestamp late{std::chrono::microseconds{2}};
    what.add_workflow_queue("q", late);
    what.add_workflow_queue("q", early);
    what.add_workflow_queue("q", late);
    REQUIRE(what.workflow_queues.size() == 1);
    CHECK(what.workflow_queues[0].due == early);
    what.add_workflow_queue("q");
    what.add_workflow_queue("q", early);
    CHECK_FALSE(what.workflow_queues[0].due);
}

TEST_CASE("who should look first is said only if it is known of all that may be claimed now")
{
    const timestamp later{std::chrono::microseconds{1}};
    announcement what;
    const auto holders = [&] { return what.workflow_queues.at(0).holders; };
    what.add_workflow_queue("q", later);
    what.add_workflow_queue("q", {}, member_id{1});
    what.add_workflow_queue("q", later);
    what.add_workflow_queue("q", {}, member_id{1});
    CHECK(holders() == std::vector{member_id{1}});
    announcement more;
    more.add_workflow_queue("q", {}, member_id{2});
    what.add(more);
    CHECK(holders() == std::vector{member_id{1}, member_id{2}});
    announcement unknown;
    unknown.add_workflow_queue("q");
    what.add(unknown);
    CHECK(holders().empty());
    what.add(more);
    CHECK(holders().empty());
    CHECK(encode(what).find("\"h\"") == std::string::npos);
}

TEST_CASE("an announcement that would be too long says that everybody looks")
{
    announcement what;
    for (int i = 0; i < 2'000; ++i) what.finished.push_back(static_cast<instance_key>(i));
    what.from = "me";
    const std::string payload = encode(what);
    CHECK(payload.size() <= maximum_announcement);
    const auto read = decode_announcement(payload);
    REQUIRE(read);
    CHECK(read->everything);
    CHECK(read->from == "me");
    CHECK(read->finished.empty());
}

TEST_CASE("what is not an announcement is nothing, and unknown members are ignored")
{
    for (const char* const text :
         {"", "x", "[]", "1", "{\"w\":1}", "{\"w\":{\"q\":\"x\"}}", "{\"f\":[\"1\"]}", "{\"e\":1}",
          "{\"o\":\"1\"}", "{\"d\":[]}", "{\"p\":{\"w:q\":1}}", "{\"j\":[1]}",
          "{\"w\":{\"q\":null},\"h\":{\"q\":1}}"})
        CHECK_FALSE(decode_announcement(text));
    const auto read = decode_announcement("{\"zzz\":[1],\"w\":{\"q\":null}}");
    REQUIRE(read);
    CHECK(read->workflow_queues.size() == 1);
}

TEST_CASE("an announcement is empty until something is worth looking at")
{
    announcement what;
    what.from = "me";
    CHECK(what.empty());
    what.add_activity_queue("q");
    CHECK_FALSE(what.empty());
    announcement requests;
    requests.request_queues.push_back({});
    CHECK_FALSE(requests.empty());
}

TEST_CASE("what is gathered while nothing can be said stays small")
{
    announcement gathered;
    announcement more;
    for (int i = 0; i != 100; ++i) more.finished.push_back(static_cast<instance_key>(i));
    more.withdrawn = more.finished;
    more.add_served("w:eu", announcement_id{1});
    more.add_passed("w:us", announcement_id{2});
    for (int i = 0; i != 19; ++i) gathered.add(more);
    CHECK(gathered.finished.size() == 1'900);
    CHECK_FALSE(gathered.everything);
    for (int i = 0; i != 100; ++i) gathered.add(more);
    CHECK(gathered.everything);
    CHECK(gathered.finished.empty());
    CHECK(gathered.withdrawn.empty());
    REQUIRE(gathered.served.size() == 1);
    CHECK(gathered.served[0].ids.size() == 64);
    REQUIRE(gathered.passed.size() == 1);
    CHECK(gathered.passed[0].ids.size() == 64);
}

TEST_CASE("what is said of room and presence takes back what was to be said before")
{
    announcement what;
    what.add_free("w:eu");
    what.add_passed("w:eu", announcement_id{1});
    CHECK(what.free.empty());
    what.add_passed("w:us", announcement_id{1});
    what.add_free("w:eu");
    REQUIRE(what.passed.size() == 1);
    CHECK(what.passed[0].topic == "w:us");
    CHECK(what.free == std::vector<std::string>{"w:eu"});
    what.add_joined("w:eu");
    what.add_joined("w:us");
    what.add_joined("w:us");
    announcement newer;
    newer.add_left("w:eu");
    what.add(newer);
    CHECK(what.joined == std::vector<std::string>{"w:us"});
    CHECK(what.left == std::vector<std::string>{"w:eu"});
    what.add_joined("w:eu");
    CHECK(what.left.empty());
}
