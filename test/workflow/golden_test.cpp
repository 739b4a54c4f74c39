// Golden histories: one for each operation, recorded once, replayed by every compiler and every
// later version. What is in test/workflow/golden/ is what instances out there have in their
// databases; a change of these files is a change that breaks them. To add one: run this program
// with PERDURE_WRITE_GOLDEN=1, which writes those that are missing.
#include "instance.hpp"
#include "shop.hpp"

#include <perdure/workflow/history.hpp>

#include <boost/uuid/uuid.hpp>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>

using namespace perdure;
using namespace std::chrono_literals;

namespace {

inline constexpr workflow<"moments", std::vector<timestamp>()> moments;
inline constexpr workflow<"draws", std::vector<boost::uuids::uuid>()> draws;

struct golden
{
    const char* name;
    std::function<instance()> lead;
};

const shop::order an_order{"A-17", 9007199254740993};

instance lead_run()
{
    instance run(
        implement(
            shop::checkout,
            [](context ctx, shop::order o) -> task<shop::receipt> {
                const std::string payment = co_await ctx.run(shop::charge(o).attempts(5));
                co_await ctx.run(shop::ship(o));
                co_return shop::receipt{o.id, payment};
            }),
        shop::checkout(an_order));
    run.activate();
    run.complete(1, R"("payment caf\u00e9")");
    run.activate();
    run.complete(2, "null");
    run.activate();
    return run;
}

instance lead_start()
{
    instance run(
        implement(
            shop::text,
            [](context ctx) -> task<std::string> {
                auto first = ctx.start(shop::charge(an_order));
                auto second = ctx.start(shop::charge(an_order));
                const std::string b = co_await second;
                const std::string a = co_await first;
                co_return a + b;
            }),
        shop::text());
    run.activate();
    run.complete(1, R"("a")");
    run.activate();
    run.complete(2, R"("b")");
    run.activate();
    return run;
}

instance lead_receive()
{
    instance run(
        implement(
            shop::text,
            [](context ctx) -> task<std::string> {
                const std::string first = co_await ctx.receive(shop::note);
                co_await ctx.receive(shop::go);
                const std::string second = co_await ctx.receive(shop::note);
                co_return first + second;
            }),
        shop::text());
    run.signal(shop::note("one \"quoted\""));
    run.signal(shop::note("two"));
    run.activate();
    run.signal(shop::go());
    run.activate();
    return run;
}

instance lead_within()
{
    instance run(
        implement(
            shop::text,
            [](context ctx) -> task<std::string> {
                const std::optional<std::string> late =
                    co_await ctx.receive(shop::note).within(24h);
                const bool went = co_await ctx.receive(shop::go).within(24h);
                const auto shipped = co_await ctx.run(shop::ship(an_order)).within(1h);
                co_return late.value_or("late, ") + (went ? "went, " : "stayed, ") +
                    (shipped ? "shipped" : "lost");
            }),
        shop::text());
    run.activate();
    run.activate_at_next_timer();
    run.signal(shop::go());
    run.activate();
    run.activate_at_next_timer();
    return run;
}

instance lead_as_result()
{
    instance run(
        implement(
            shop::text,
            [](context ctx) -> task<std::string> {
                const auto charged = co_await ctx.run(shop::charge(an_order)).as_result();
                const auto declined = charged.failed_as(shop::card_declined);
                co_await ctx.run(shop::refund("payment"));
                co_return declined ? declined->reason : "charged";
            }),
        shop::text());
    run.activate();
    run.fail(1, shop::card_declined(shop::declined{"over the limit"}).info());
    run.activate();
    run.fail(2, {"std::runtime_error", "bank closed", {}, true, nullptr});
    run.activate();
    return run;
}

instance lead_sleep()
{
    instance run(
        implement(
            shop::text,
            [](context ctx) -> task<std::string> {
                co_await ctx.sleep(24h);
                co_await ctx.sleep(1us);
                co_return "rested";
            }),
        shop::text());
    run.activate();
    run.activate_at_next_timer();
    run.activate_at_next_timer();
    return run;
}

instance lead_now()
{
    instance run(
        implement(
            moments,
            [](context ctx) -> task<std::vector<timestamp>> {
                std::vector<timestamp> all{ctx.now()};
                co_await ctx.sleep(1h);
                all.push_back(ctx.now());
                co_await ctx.receive(shop::go);
                all.push_back(ctx.now());
                co_return all;
            }),
        moments());
    run.activate();
    run.activate_at_next_timer();
    run.now -= 30min;
    run.signal(shop::go());
    run.activate();
    return run;
}

instance lead_uuid()
{
    instance run(
        implement(
            draws,
            [](context ctx) -> task<std::vector<boost::uuids::uuid>> {
                std::vector<boost::uuids::uuid> all{ctx.uuid()};
                all.push_back(ctx.uuid());
                co_await ctx.receive(shop::go);
                all.push_back(ctx.uuid());
                co_return all;
            }),
        draws());
    run.activate();
    run.signal(shop::go());
    run.activate();
    return run;
}

instance lead_side_effect()
{
    instance run(
        implement(
            shop::text,
            [](context ctx) -> task<std::string> {
                const auto draw = [] { return std::string("drawn"); };
                const auto fail = []() -> int { throw std::runtime_error("no entropy"); };
                const std::string drawn = co_await ctx.side_effect(draw);
                const auto failed = co_await ctx.side_effect(fail).as_result();
                co_await ctx.receive(shop::go);
                co_return drawn + ", " + failed.failure().what();
            }),
        shop::text());
    run.activate();
    run.signal(shop::go());
    run.activate();
    return run;
}

instance lead_continue_as_new()
{
    instance run(
        implement(
            shop::countdown,
            [](context ctx, int n) -> task<int> {
                co_await ctx.receive(shop::go);
                co_return co_await ctx.continue_as_new(shop::countdown(n - 1));
            }),
        shop::countdown(3));
    run.signal(shop::note("for the next run"));
    run.activate();
    run.signal(shop::go());
    run.activate();
    return run;
}

instance lead_cancel()
{
    instance run(
        implement(
            shop::text,
            [](context ctx) -> task<std::string> {
                auto unseen = ctx.start(shop::ship(an_order));
                const auto charged = co_await ctx.run(shop::charge(an_order)).as_result();
                const auto note = co_await ctx.receive(shop::note).as_result();
                if (!charged && !note) co_await ctx.shielded().run(shop::refund("payment"));
                co_await unseen;
                co_return "shipped";
            }),
        shop::text());
    run.activate();
    run.cancel();
    run.signal(shop::note("not received"));
    run.activate();
    run.cancel();
    run.complete(3, "null");
    run.activate();
    return run;
}

instance lead_cancel_sleep()
{
    instance run(
        implement(
            shop::text,
            [](context ctx) -> task<std::string> {
                co_await ctx.sleep(0s);
                const bool went = co_await ctx.receive(shop::go).within(24h);
                co_await ctx.sleep(24h);
                co_return went ? "went" : "stayed";
            }),
        shop::text());
    run.signal(shop::go());
    run.cancel();
    run.activate();
    return run;
}

task<std::string> charge_and_ship(context ctx, std::string id)
{
    const shop::order order{id, 1};
    std::string payment = co_await ctx.run(shop::charge(order));
    const auto shipped = co_await ctx.run(shop::ship(order)).as_result();
    if (!shipped) co_await ctx.shielded().run(shop::refund(payment));
    co_return payment;
}

instance lead_spawn()
{
    instance run(
        implement(
            shop::text,
            [](context ctx) -> task<std::string> {
                auto first = ctx.spawn(charge_and_ship(ctx, "A"));
                auto second = ctx.spawn(charge_and_ship, std::string("B"));
                co_await ctx.run(shop::refund("before the tasks begin"));
                const std::optional<std::string> b = co_await second.within(1h);
                const auto a = co_await first.as_result();
                co_return b.value_or("slow") + (a ? *a : "failed");
            }),
        shop::text());
    run.activate();
    run.complete(3, R"("b")");
    run.complete(2, R"("a")");
    run.activate();
    run.complete(1, "null");
    run.complete(5, "null");
    run.activate();
    run.activate_at_next_timer();
    return run;
}

instance lead_when_all()
{
    instance run(
        implement(
            shop::text,
            [](context ctx) -> task<std::string> {
                std::vector<operation<std::string>> charges;
                for (int i = 0; i != 3; ++i) charges.push_back(ctx.run(shop::charge(an_order)));
                auto both = co_await when_all(when_all(charges), ctx.sleep(1h));
                auto failed = co_await when_all(
                                  ctx.sleep(24h), charge_and_ship(ctx, "C"),
                                  ctx.run(shop::ship(an_order)), ctx.receive(shop::go))
                                  .as_result();
                auto late = co_await when_all(ctx.receive(shop::go), ctx.run(shop::ship(an_order)))
                                .within(1min);
                std::string said = late ? "?" : failed.failure().what();
                for (const std::string& each : std::get<0>(both)) said += each;
                co_return said;
            }),
        shop::text());
    run.activate();
    for (const int operation : {3, 1, 2})
        run.complete(operation, "\"" + std::to_string(operation) + "\"");
    run.activate();
    run.activate_at_next_timer();
    run.complete(7, R"("c")");
    run.activate();
    run.fail(6, {"std::runtime_error", "no parcel", {}, true, nullptr});
    run.activate();
    run.complete(9, "null");
    run.activate();
    run.activate_at_next_timer();
    return run;
}

instance lead_select()
{
    instance run(
        implement(
            shop::text,
            [](context ctx) -> task<std::string> {
                const auto deadline = ctx.start(ctx.sleep(24h));
                auto first = co_await select(
                    deadline, ctx.receive(shop::note), ctx.run(shop::charge(an_order)),
                    charge_and_ship(ctx, "C"), ctx.sleep(1h));
                std::vector<future<std::string>> charges;
                for (int i = 0; i != 3; ++i) charges.push_back(ctx.start(shop::charge(an_order)));
                auto coming = select(charges);
                std::string all = std::get<1>(first);
                while (!coming.empty()) {
                    const auto next = co_await coming;
                    all += std::to_string(next.index) + next.value;
                }
                auto last = co_await select(ctx.receive(shop::go), deadline);
                co_return all + std::to_string(last.index());
            }),
        shop::text());
    run.activate();
    run.complete(4, R"("c")");
    run.activate();
    run.signal(shop::note("note"));
    run.activate();
    run.complete(6, R"("refunded")");
    run.activate();
    for (const int operation : {9, 7, 8}) {
        run.complete(operation, R"("x")");
        run.activate();
    }
    run.activate_at_next_timer();
    return run;
}

instance lead_random()
{
    instance run(
        implement(
            shop::text,
            [](context ctx) -> task<std::string> {
                std::string all = std::to_string(ctx.random());
                co_await ctx.receive(shop::go);
                for (const int low : {-1'000, 0, 7}) {
                    all += " " + std::to_string(ctx.uniform(low, 1'000));
                }
                std::string cards = "0123456789abcdef";
                ctx.shuffle(cards);
                co_return all + " " + cards + (ctx.uniform(0.0, 1.0) < 0.5 ? " low" : " high");
            }),
        shop::text());
    run.activate();
    run.signal(shop::go());
    run.activate();
    return run;
}

const golden all_golden[] = {
    {"run", lead_run},
    {"start", lead_start},
    {"receive", lead_receive},
    {"within", lead_within},
    {"as_result", lead_as_result},
    {"sleep", lead_sleep},
    {"now", lead_now},
    {"uuid", lead_uuid},
    {"side_effect", lead_side_effect},
    {"continue_as_new", lead_continue_as_new},
    {"cancel", lead_cancel},
    {"cancel_sleep", lead_cancel_sleep},
    {"spawn", lead_spawn},
    {"when_all", lead_when_all},
    {"select", lead_select},
    {"random", lead_random},
};

std::string path_of(const char* name)
{
    return std::string(PERDURE_TEST_DIR "/workflow/golden/") + name + ".json";
}

std::optional<std::string> read_file(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
}

history_document document_of(const instance& led)
{
    return {led.info().id, led.code()->name(), led.info().run, led.history()};
}

} // namespace

TEST_CASE("each operation records, byte for byte, what its golden history says")
{
    for (const golden& each : all_golden) {
        INFO(std::string(each.name));
        const instance led = each.lead();
        const std::string recorded = encode_history(document_of(led));
        if (std::getenv("PERDURE_WRITE_GOLDEN") != nullptr && !read_file(path_of(each.name))) {
            std::ofstream(path_of(each.name), std::ios::binary) << recorded;
        }
        const std::optional<std::string> stored = read_file(path_of(each.name));
        REQUIRE(stored.has_value());
        CHECK(recorded == *stored);
        led.check_replays();
    }
}

TEST_CASE(
    "each golden history is replayed to its end, and its last activation decides the same again")
{
    for (const golden& each : all_golden) {
        INFO(std::string(each.name));
        const std::optional<std::string> stored = read_file(path_of(each.name));
        REQUIRE(stored.has_value());
        const history_document document = decode_history(*stored);
        const std::vector<event>& events = document.events;
        const std::shared_ptr<const workflow_implementation> code = each.lead().code();
        const instance_info info{document.id, "default", document.run};
        CHECK(document.workflow == code->name());

        replayer whole(code, info);
        whole.replay(events);
        CHECK(whole.finished());

        auto last_task = std::find_if(
                             events.rbegin(), events.rend(),
                             [](const event& e) { return e.type == event_type::workflow_task; })
                             .base() -
                         1;
        auto arrival = last_task;
        while (arrival != events.begin() && !is_command((arrival - 1)->type) &&
               (arrival - 1)->type != event_type::workflow_task)
            --arrival;
        std::vector<event> arrived;
        std::copy_if(arrival, last_task, std::back_inserter(arrived), [](const event& e) {
            return e.type != event_type::timer_fired;
        });
        replayer almost(code, info);
        almost.replay({events.begin(), arrival});
        const decision last = almost.activate(std::move(arrived), last_task->at);
        CHECK(last.events == std::vector<event>(arrival, events.end()));
    }
}
