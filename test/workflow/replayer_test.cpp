// A workflow as a function of its history.
#include "instance.hpp"
#include "shop.hpp"

using namespace perdure;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

task<shop::receipt> run_checkout(context ctx, shop::order o)
{
    std::string payment = co_await ctx.run(shop::charge(o).start_to_close(30s).attempts(5));
    std::optional<bool> approved = co_await ctx.receive(shop::approve).within(24h);
    if (approved.value_or(false)) {
        auto shipped = co_await ctx.run(shop::ship(o)).as_result();
        if (shipped) co_return shop::receipt{o.id, payment};
    }
    co_await ctx.run(shop::refund(payment));
    co_return shop::receipt{o.id, "refunded"};
}

instance checkout_instance()
{
    const shop::order order{"A-17", 1250};
    return {implement(shop::checkout, run_checkout), shop::checkout(order)};
}

task<std::string> return_text(context)
{
    co_return "done";
}

} // namespace

TEST_CASE("the history of a trivial workflow is exactly started, task, finished")
{
    instance trivial(implement(shop::text, return_text), shop::text());
    const decision only = trivial.activate();
    CHECK(trivial.types() == words{"workflow_started", "workflow_task", "workflow_completed"});
    REQUIRE(only.finish);
    CHECK(only.finish->kind == finish::kind::completed);
    CHECK(decode<std::string>(only.finish->data) == "done");
    CHECK(only.events.size() == 2);
    trivial.check_replays();
}

TEST_CASE("a checkout that is approved charges and ships")
{
    instance checkout = checkout_instance();
    const decision first = checkout.activate();
    REQUIRE(first.activities.size() == 1);
    CHECK(first.activities[0].operation == 1);
    CHECK(first.activities[0].name == "charge");
    CHECK(first.activities[0].arguments.text() == R"([{"id":"A-17","cents":1250}])");
    CHECK(first.activities[0].options.start_to_close() == 30s);
    CHECK(first.activities[0].options.attempts() == 5);
    CHECK(!first.next_timer);

    checkout.complete(1, R"("payment 1")");
    const decision second = checkout.activate();
    REQUIRE(second.next_timer);
    CHECK(*second.next_timer == checkout.now + 24h);

    checkout.signal(shop::approve(true));
    const decision third = checkout.activate();
    CHECK(!third.next_timer);
    REQUIRE(third.activities.size() == 1);
    CHECK(third.activities[0].name == "ship");

    checkout.complete(3, "null");
    const decision last = checkout.activate();
    REQUIRE(last.finish);
    CHECK(last.finish->data.text() == R"({"order_id":"A-17","payment":"payment 1"})");
    CHECK(
        checkout.types() ==
        words{
            "workflow_started", "workflow_task", "activity_scheduled", "activity_completed",
            "workflow_task", "timer_started", "signal_received", "workflow_task", "timer_cancelled",
            "activity_scheduled", "activity_completed", "workflow_task", "workflow_completed"});
    checkout.check_replays();
}

TEST_CASE("a checkout that nobody approves is refunded when its time runs out")
{
    instance checkout = checkout_instance();
    checkout.activate();
    checkout.complete(1, R"("payment 1")");
    checkout.activate();
    const decision refund = checkout.activate_at_next_timer();
    REQUIRE(refund.activities.size() == 1);
    CHECK(refund.activities[0].name == "refund");
    checkout.complete(3, "null");
    CHECK(checkout.activate().finish->data.text() == R"({"order_id":"A-17","payment":"refunded"})");
    checkout.check_replays();
}

TEST_CASE("an activation with nothing to do appends nothing")
{
    instance checkout = checkout_instance();
    checkout.activate();
    const decision idle = checkout.activate();
    CHECK(idle.events.empty());
    CHECK(idle.activities.empty());
    checkout.check_replays();
}

TEST_CASE("what comes twice, or for an unknown operation, is recorded and ignored")
{
    instance checkout = checkout_instance();
    checkout.activate();
    checkout.complete(7, R"("nobody asked")");
    checkout.complete(1, R"("payment 1")");
    checkout.complete(1, R"("payment 2")");
    checkout.fire(9);
    CHECK(checkout.activate().events.size() == 6);
    checkout.signal(shop::approve(true));
    checkout.activate();
    checkout.complete(3, "null");
    CHECK(
        checkout.activate().finish->data.text() == R"({"order_id":"A-17","payment":"payment 1"})");
    checkout.check_replays();
}

TEST_CASE("ctx.now() is the time of the activation and never runs backwards")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const timestamp first = ctx.now();
        co_await ctx.receive(shop::go);
        const timestamp second = ctx.now();
        co_await ctx.receive(shop::go);
        co_return second > first&& ctx.now() == second ? "steady" : "unsteady";
    });
    instance clock(code, shop::text());
    clock.activate();
    clock.signal(shop::go());
    clock.activate();
    clock.now -= 1h;
    clock.signal(shop::go());
    const decision last = clock.activate();
    CHECK(decode<std::string>(last.finish->data) == "steady");
    clock.check_replays();
}

TEST_CASE("an exception that leaves the workflow finishes it as failed, with type and message")
{
    const auto code = implement(shop::text, [](context) -> task<std::string> {
        throw std::out_of_range("no such shelf");
        co_return "";
    });
    instance thrower(code, shop::text());
    const decision only = thrower.activate();
    REQUIRE(only.finish);
    CHECK(only.finish->kind == finish::kind::failed);
    const failure_info info = decode_failure(only.finish->data);
    CHECK(info.type == "std::out_of_range");
    CHECK(info.message == "no such shelf");
    CHECK(thrower.types() == words{"workflow_started", "workflow_task", "workflow_failed"});
    thrower.check_replays();
}

TEST_CASE("a result that cannot be encoded finishes the workflow as failed and says why")
{
    const auto code = implement(
        shop::text, [](context) -> task<std::string> { co_return std::string("\xff\xfe", 2); });
    instance garbled(code, shop::text());
    const decision only = garbled.activate();
    REQUIRE(only.finish);
    CHECK(only.finish->kind == finish::kind::failed);
    CHECK(decode_failure(only.finish->data).message.find("not UTF-8") != std::string::npos);
}

TEST_CASE("wrong arguments fail the first task, naming workflow, expected and actual")
{
    const auto code =
        std::make_shared<const workflow_implementation>(implement(shop::checkout, run_checkout));
    const auto message_for = [&](const char* arguments) -> std::string {
        replayer untyped(code, {"order-1", "default", 1});
        untyped.replay(
            {{event_type::workflow_started, 0, "checkout", payload::from_text(arguments), {}, {}}});
        try {
            untyped.activate({}, {});
        } catch (const error& problem) {
            CHECK(problem.kind() == errc::malformed_payload);
            CHECK_THROWS_AS(untyped.activate({}, {}), const error&);
            return problem.what();
        }
        return "";
    };
    CHECK(message_for("[1,2]") == "workflow checkout: expected (shop::order), found array of 2");
    CHECK(message_for("{}") == "workflow checkout: expected (shop::order), found object of 0");
    CHECK(
        message_for(R"([{"id":"A","cents":"5"}])") ==
        "workflow checkout: expected (shop::order); argument 1: .cents: expected an integer, "
        "found a string");
    CHECK(
        message_for(R"([{"id":"A"}])") ==
        "workflow checkout: expected (shop::order); argument 1: .cents is missing");
    CHECK(message_for("[").starts_with("workflow checkout: expected (shop::order)"));
}

TEST_CASE("events that are no history of the run are refused")
{
    const auto code =
        std::make_shared<const workflow_implementation>(implement(shop::text, return_text));
    const auto refused = [&](std::vector<event> history) {
        replayer strange(code, {"order-1", "default", 1});
        CHECK_THROWS_AS(strange.replay(std::move(history)), const error&);
    };
    const event started{event_type::workflow_started, 0, "text", payload::from_text("[]"), {}, {}};
    refused({{event_type::workflow_task, 0, {}, {}, {}, {}}});
    refused({{event_type::signal_received, 0, "go", payload::from_text("null"), {}, {}}});
    refused({started, started});
    refused({started, {event_type::workflow_completed, 0, {}, {}, {}, {}}});
    refused({{event_type::workflow_started, 0, "checkout", payload::from_text("[]"), {}, {}}});
}
