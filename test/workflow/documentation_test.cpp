// The code of docs/workflows.md, so that it compiles and does what is said there; what is about
// workers and clients is in client/documentation_test.cpp.
#include "instance.hpp"
#include "outcome.hpp"
#include "shop.hpp"

#include <perdure/workflow/history.hpp>
#include <perdure/workflow/replayer.hpp>

#include <boost/uuid/uuid_io.hpp>

#include <doctest/doctest.h>

#include <exception>
#include <fstream>
#include <iterator>
#include <sstream>

using namespace std::chrono_literals;

namespace documented {

perdure::task<shop::receipt> run_checkout(perdure::context ctx, shop::order order)
{
    const std::string payment = co_await ctx.run(shop::charge(order));
    co_await ctx.run(shop::ship(order));
    co_return shop::receipt{order.id, payment};
}

perdure::task<std::string> charge_with_options(perdure::context ctx, shop::order order)
{
    co_return co_await ctx.run(shop::charge(order)
                                   .queue("payments")
                                   .start_to_close(30s)
                                   .attempts(5)
                                   .backoff(1s, 2.0, 1min)); // first pause, factor, longest pause
}

perdure::task<std::string> charge_or_say_why(perdure::context ctx, shop::order order)
{
    const auto charged = co_await ctx.run(shop::charge(order).attempts(5)).as_result();
    if (charged) co_return *charged;
    if (const auto declined = charged.failed_as(shop::card_declined))
        co_return "declined: " + declined->reason;
    co_return charged.value(); // any other failure: throws it
}

perdure::task<std::string> ship_when_approved(perdure::context ctx, shop::order order)
{
    try {
        const bool approved = co_await ctx.receive(shop::approve);
        if (!approved) throw shop::sold_out();
        co_await ctx.run(shop::ship(order).attempts(3));
        co_return "shipped";
    } catch (const perdure::cancelled&) {
        throw;                                 // the instance was asked to end: let it
    } catch (const perdure::failed& failure) { // what was recorded, or thrown as a declared failure
        co_return failure.is(shop::sold_out) ? "sold out" : "not shipped";
    } catch (const perdure::error&) { // not a failure: the value that was sent is no bool
        co_return "no answer";
    }
}

perdure::task<std::string> charge_and_note(perdure::context ctx, shop::order order)
{
    const auto charging = ctx.start(shop::charge(order)); // begins now
    const std::string note = co_await ctx.receive(shop::note);
    const std::string payment = co_await charging;
    co_return payment + ": " + note;
}

perdure::task<std::string> both(perdure::context ctx, shop::order order)
{
    auto all = co_await when_all(ctx.run(shop::charge(order)), ctx.receive(shop::note));
    auto& [payment, note] = all;
    co_return payment + ": " + note;
}

perdure::task<std::string> charge_while_shipping(perdure::context ctx, shop::order order)
{
    const auto charging = ctx.start(ctx.shielded().run(shop::charge(order)));
    std::exception_ptr problem;
    try {
        co_await when_all(charging, ctx.run(shop::ship(order).attempts(1)));
    } catch (...) {
        problem = std::current_exception();
    }
    const std::string payment = co_await charging; // charged by now, whatever else failed
    if (problem) {
        co_await ctx.shielded().run(shop::refund(payment));
        std::rethrow_exception(problem);
    }
    co_return payment;
}

perdure::task<std::string> whichever_first(perdure::context ctx)
{
    auto first = co_await select(ctx.receive(shop::approve), ctx.receive(shop::note));
    if (const bool* approved = std::get_if<0>(&first)) co_return *approved ? "yes" : "no";
    co_return std::get<1>(first);
}

perdure::task<int> charge_all(perdure::context ctx, std::vector<shop::order> orders)
{
    using charge = decltype(ctx.run(shop::charge(orders.front())).as_result());
    std::vector<charge> charges;
    for (const shop::order& order : orders)
        charges.push_back(ctx.run(shop::charge(order).attempts(5)).as_result());

    int paid = 0;
    auto outcomes = select(std::move(charges)); // a hundred, a thousand: all run at once
    while (!outcomes.empty()) {
        const auto next = co_await outcomes; // next.index says which of the orders
        if (next.value) ++paid;
    }
    co_return paid;
}

perdure::task<void> ship_daily(perdure::context ctx, shop::order order)
{
    for (;;) {
        co_await ctx.run(shop::ship(order));
        co_await ctx.sleep(24h);
    }
}

perdure::task<std::string> subscribe(perdure::context ctx, shop::order order)
{
    ctx.spawn(ship_daily, order);   // beside what follows
    co_await ctx.receive(shop::go); // until the customer goes
    co_return "gone";               // and the task with it
}

perdure::task<std::string> await_approval(perdure::context ctx)
{
    const std::optional<bool> approved = co_await ctx.receive(shop::approve).within(72h);
    if (!approved) co_return "nobody answered";
    co_return *approved ? "approved" : "refused";
}

perdure::task<int> count_notes_for_a_day(perdure::context ctx)
{
    const auto closing = ctx.start(ctx.sleep(24h)); // one timer for all rounds of the loop
    for (int notes = 0;; ++notes) {
        const auto next = co_await select(closing, ctx.receive(shop::note));
        if (next.index() == 0) co_return notes;
    }
}

perdure::task<shop::receipt> buy(perdure::context ctx, shop::order order)
{
    std::string payment;
    std::exception_ptr problem;
    try {
        payment = co_await ctx.shielded().run(shop::charge(order).attempts(5));
        const bool approved = co_await ctx.receive(shop::approve); // a cancellation is thrown here
        if (!approved) throw shop::sold_out();
        co_await ctx.shielded().run(shop::ship(order).attempts(3));
    } catch (...) {
        problem = std::current_exception(); // there is no co_await in a catch block
    }
    if (problem) {
        if (!payment.empty()) co_await ctx.shielded().run(shop::refund(payment));
        std::rethrow_exception(problem); // fails with it, or ends as cancelled
    }
    co_return shop::receipt{order.id, payment};
}

perdure::task<shop::receipt> buy_in_values(perdure::context ctx, shop::order order)
{
    const std::string payment = co_await ctx.shielded().run(shop::charge(order).attempts(5));
    const auto approved = co_await ctx.receive(shop::approve).as_result();
    if (approved && *approved) {
        const auto shipped = co_await ctx.shielded().run(shop::ship(order).attempts(3)).as_result();
        if (shipped) co_return shop::receipt{order.id, payment};
    }
    co_await ctx.shielded().run(shop::refund(payment));
    approved.value(); // throws what it failed with: a cancellation
    throw shop::sold_out();
}

perdure::task<std::string> ship_unless_stopped(perdure::context ctx, shop::order order)
{
    const auto waited = co_await ctx.sleep(1h).as_result();
    if (!waited) co_return "stopped in time"; // completed, not cancelled
    co_await ctx.run(shop::ship(order));
    co_return "shipped";
}

perdure::task<std::string> draw_winner(perdure::context ctx, std::vector<std::string> names)
{
    ctx.shuffle(names);
    const auto place = ctx.uniform<std::size_t>(0, names.size() - 1);
    const std::string ticket = boost::uuids::to_string(ctx.uuid());
    const auto drawn_at = ctx.now();
    co_await ctx.sleep(drawn_at + 1h - ctx.now());
    co_return ctx.info().id + ": " + names[place] + ", ticket " + ticket;
}

perdure::task<int> run_countdown(perdure::context ctx, int left)
{
    if (left == 0) co_return 0;
    co_await ctx.sleep(24h);
    co_return co_await ctx.continue_as_new(shop::countdown(left - 1));
}

void replay_recorded(const std::string& text) // what `perdure show --json` printed
{
    const auto code = std::make_shared<const perdure::workflow_implementation>(
        perdure::implement(shop::checkout, run_checkout));
    const perdure::history_document recorded = perdure::decode_history(text);
    const perdure::instance_info who{recorded.id, "default", recorded.run};
    perdure::replayer{code, who}.replay(recorded.events); // throws errc::nondeterminism
}

} // namespace documented

namespace {

using namespace perdure;
using words = std::vector<std::string>;

const shop::order an_order{"A", 1};

std::string read_text(const std::string& path)
{
    std::ifstream file{PERDURE_TEST_DIR "/../" + path};
    REQUIRE(file);
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// The lines of a text without indentation and empty ones, each followed by a newline.
std::string normalized(const std::string& text)
{
    std::istringstream stream{text};
    std::string lines;
    for (std::string line; std::getline(stream, line);) {
        const auto first = line.find_first_not_of(' ');
        if (first != std::string::npos) lines += line.substr(first) + '\n';
    }
    return lines;
}

/// The document's blocks of C++, in their order.
std::vector<std::string> blocks_of(const std::string& text)
{
    const std::string begin = "```cpp\n";
    std::vector<std::string> blocks;
    for (auto at = text.find(begin); at != std::string::npos; at = text.find(begin, at)) {
        at += begin.size();
        blocks.push_back(text.substr(at, text.find("```", at) - at));
    }
    return blocks;
}

/// An instance whose card was charged and which now waits for approval.
template <class F>
instance waiting_for_approval(F code)
{
    instance waiting(implement(shop::checkout, code), shop::checkout(an_order));
    CHECK(commands(waiting.activate()) == words{"activity_scheduled #1 charge"});
    waiting.complete(1, R"("payment")");
    CHECK(commands(waiting.activate()).empty());
    return waiting;
}

template <class F>
void check_compensation(F code)
{
    instance buyer = waiting_for_approval(code);
    buyer.cancel();
    CHECK(commands(buyer.activate()) == words{"activity_scheduled #2 refund"});
    buyer.complete(2, "null");
    const decision last = buyer.activate();
    CHECK(commands(last) == words{"workflow_cancelled"});
    buyer.check_replays();
}

} // namespace

TEST_CASE("the code of docs/workflows.md is what is compiled here")
{
    const std::string compiled =
        "\n" + normalized(read_text("test/workflow/shop.hpp")) +
        normalized(read_text("test/workflow/documentation_test.cpp")) +
        normalized(read_text("test/client/documentation_test.cpp")) +
        normalized(read_text("test/client/documented_transaction_test.cpp"));
    const std::vector<std::string> blocks = blocks_of(read_text("docs/workflows.md"));
    CHECK(blocks.size() > 10);
    for (const std::string& block : blocks) {
        INFO(block);
        const bool found = compiled.find("\n" + normalized(block)) != std::string::npos;
        CHECK(found);
    }
}

TEST_CASE("the documented compensation refunds when the instance is cancelled, and then ends so")
{
    SUBCASE("with an exception_ptr")
    {
        check_compensation(documented::buy);
    }
    SUBCASE("with values")
    {
        check_compensation(documented::buy_in_values);
    }
}

TEST_CASE("the documented compensation refunds what is not approved, and fails with the reason")
{
    instance buyer = waiting_for_approval(documented::buy);
    buyer.signal(shop::approve(false));
    CHECK(commands(buyer.activate()) == words{"activity_scheduled #2 refund"});
    buyer.complete(2, "null");
    const decision last = buyer.activate();
    REQUIRE(last.finish);
    CHECK(last.finish->kind == finish::kind::failed);
    CHECK(decode_failure(last.finish->data).type == "sold-out");
    buyer.check_replays();
}

TEST_CASE("the documented group leaves what is to be undone to run, and it is undone")
{
    const auto code = [](context ctx) { return documented::charge_while_shipping(ctx, an_order); };
    instance buyer = text_instance(code);
    CHECK(
        commands(buyer.activate()) ==
        words{"activity_scheduled #1 charge", "activity_scheduled #2 ship"});
    SUBCASE("when something else in it fails")
    {
        buyer.fail(2, shop::sold_out().info());
        CHECK(commands(buyer.activate()).empty()); // the payment is waited for, not cancelled
        buyer.complete(1, R"("payment")");
        CHECK(commands(buyer.activate()) == words{"activity_scheduled #3 refund"});
        buyer.complete(3, "null");
        CHECK(commands(buyer.activate()) == words{"workflow_failed"});
    }
    SUBCASE("when the instance is asked to end")
    {
        buyer.cancel();
        CHECK(commands(buyer.activate()) == words{"activity_cancelled #2"});
        buyer.complete(1, R"("payment")");
        CHECK(commands(buyer.activate()) == words{"activity_scheduled #3 refund"});
        buyer.complete(3, "null");
        CHECK(commands(buyer.activate()) == words{"workflow_cancelled"});
    }
    buyer.check_replays();
}

TEST_CASE("the documented workflow that catches its cancellation completes")
{
    const auto code = [](context ctx) { return documented::ship_unless_stopped(ctx, an_order); };
    instance stopped = text_instance(code);
    stopped.activate();
    stopped.cancel();
    CHECK(result_of(stopped.activate()) == "stopped in time");
    stopped.check_replays();
}

TEST_CASE("a signal that cannot be decoded is caught as documented")
{
    const auto code = [](context ctx) { return documented::ship_when_approved(ctx, an_order); };
    instance asked = text_instance(code);
    asked.activate();
    asked.signal(signal_call("approve", payload::from_text(R"("yes")")));
    CHECK(result_of(asked.activate()) == "no answer");
    asked.check_replays();
}

TEST_CASE("a recorded history is replayed as documented")
{
    CHECK_NOTHROW(documented::replay_recorded(read_text("test/workflow/golden/run.json")));
}
