// Signals: buffered, in order, each received once.
#include "expect.hpp"
#include "instance.hpp"
#include "shop.hpp"

using namespace perdure;
using namespace std::chrono_literals;

namespace {

task<std::string> receive_three(context ctx)
{
    std::string all;
    for (int i = 0; i != 3; ++i) {
        const std::string note = co_await ctx.receive(shop::note);
        all += note;
    }
    co_return all;
}

std::string result_of(const decision& last)
{
    REQUIRE(last.finish);
    CHECK(last.finish->kind == finish::kind::completed);
    return last.finish->kind == finish::kind::completed
               ? decode<std::string>(last.finish->data)
               : describe(decode_failure(last.finish->data));
}

} // namespace

TEST_CASE("signals that came before anybody received them wait in order")
{
    instance early(implement(shop::text, receive_three), shop::text());
    early.signal(shop::note("a"));
    early.signal(shop::go());
    early.signal(shop::note("b"));
    CHECK(!early.activate().finish);
    early.signal(shop::note("c"));
    CHECK(result_of(early.activate()) == "abc");
    early.check_replays();
}

TEST_CASE("ten thousand signals to one instance all arrive, in order")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        bool ordered = true;
        for (int i = 0; i != 10'000; ++i) {
            const std::string note = co_await ctx.receive(shop::note);
            ordered = ordered && note == std::to_string(i);
        }
        co_return ordered ? "ordered" : "mixed up";
    });
    instance busy(code, shop::text());
    for (int i = 0; i != 5'000; ++i) busy.signal(shop::note(std::to_string(i)));
    busy.activate();
    for (int i = 5'000; i != 10'000; ++i) busy.signal(shop::note(std::to_string(i)));
    CHECK(result_of(busy.activate()) == "ordered");
    busy.check_replays();
}

TEST_CASE("a receive whose time ran out does not swallow a later signal")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const std::optional<std::string> first = co_await ctx.receive(shop::note).within(1h);
        const bool went = co_await ctx.receive(shop::go).within(1h);
        const std::string second = co_await ctx.receive(shop::note);
        co_return first.value_or("nothing") + (went ? ", went, " : ", stayed, ") + second;
    });
    instance late(code, shop::text());
    late.activate();
    late.activate_at_next_timer();
    late.activate_at_next_timer();
    late.signal(shop::note("late"));
    late.signal(shop::go());
    CHECK(result_of(late.activate()) == "nothing, stayed, late");
    late.check_replays();
}

TEST_CASE(
    "a kept receive whose time ran out leaves the signals to others, and can be awaited again")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const auto kept = ctx.receive(shop::note);
        const std::optional<std::string> none = co_await kept.within(1h);
        const std::string first = co_await ctx.receive(shop::note);
        const std::string second = co_await kept;
        co_return none.value_or("-") + first + second;
    });
    instance patient(code, shop::text());
    patient.activate();
    patient.activate_at_next_timer();
    patient.signal(shop::note("a"));
    CHECK(!patient.activate().finish);
    patient.signal(shop::note("b"));
    CHECK(result_of(patient.activate()) == "-ab");
    patient.check_replays();
}

TEST_CASE("a signal that is there already starts no timer; a limit of zero only looks")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const std::optional<std::string> none = co_await ctx.receive(shop::note).within(0s);
        co_await ctx.receive(shop::go);
        const std::optional<std::string> some = co_await ctx.receive(shop::note).within(0s);
        const std::optional<std::string> more = co_await ctx.receive(shop::note).within(1h);
        co_return none.value_or("-") + some.value_or("-") + more.value_or("-");
    });
    instance looks(code, shop::text());
    looks.activate();
    looks.signal(shop::note("a"));
    looks.signal(shop::note("b"));
    looks.signal(shop::go());
    CHECK(result_of(looks.activate()) == "-ab");
    CHECK(looks.types().size() == 7); // no timer anywhere
    looks.check_replays();
}

TEST_CASE("a signal and a timer that is due in one activation go by time")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const std::optional<std::string> note = co_await ctx.receive(shop::note).within(1h);
        co_return note.value_or("time-out");
    });
    SUBCASE("the signal came first")
    {
        instance both(code, shop::text());
        both.activate();
        both.now += 30min;
        both.signal(shop::note("in time"));
        both.now += 2h;
        const decision last = both.activate();
        CHECK(result_of(last) == "in time");
        CHECK(last.events.size() == 4); // the timer was cancelled before it was its turn
        both.check_replays();
    }
    SUBCASE("the timer was due first")
    {
        instance both(code, shop::text());
        both.activate();
        both.now += 90min;
        both.signal(shop::note("too late"));
        both.now += 2h;
        CHECK(result_of(both.activate()) == "time-out");
        both.check_replays();
    }
}

TEST_CASE("a signal whose value is of another type is thrown where it is received, and is used up")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        std::string problem;
        try {
            const bool approved = co_await ctx.receive(shop::approve);
            problem = approved ? "approved" : "refused";
        } catch (const error& malformed) {
            problem = malformed.what();
        }
        const bool second = co_await ctx.receive(shop::approve);
        co_return problem + (second ? "; approved" : "; refused");
    });
    instance strange(code, shop::text());
    strange.signal({"approve", payload::from_text("\"yes\"")});
    strange.signal(shop::approve(true));
    CHECK(
        result_of(strange.activate()) ==
        "signal approve: expected true or false, found a string; approved");
    strange.check_replays();
}

TEST_CASE("a signal whose value is of another type is an error that names the signal")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        std::string note = co_await ctx.receive(shop::note);
        co_return note;
    });
    instance strange(code, shop::text());
    strange.signal(signal_call("note", payload::from_text("17")));
    const decision last = strange.activate();
    REQUIRE(last.finish);
    CHECK(last.finish->kind == finish::kind::failed);
    CHECK(
        describe(decode_failure(last.finish->data))
            .find("signal note: expected a string, found an integer") != std::string::npos);
}
