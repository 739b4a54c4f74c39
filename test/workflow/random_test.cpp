// Random programs on random worlds: whatever a workflow does and whatever arrives, replaying any
// prefix of its history and going on leads to the same decisions as staying alive. Each program is
// drawn from a seed, which a failure names; PERDURE_SEED runs that one alone.
#include "instance.hpp"
#include "shop.hpp"

#include <cstdlib>
#include <map>
#include <random>

using namespace perdure;
using namespace std::chrono_literals;

namespace {

/// Numbers that are the same with every standard library.
class dice
{
public:
    explicit dice(std::uint32_t seed) : engine_(seed) { engine_.discard(3); }
    std::uint32_t roll(std::uint32_t sides)
    {
        return static_cast<std::uint32_t>(engine_() % sides);
    }

private:
    std::minstd_rand engine_; // small: each task of a program has one
};

/// What the tasks of a random program share.
struct notes
{
    std::string log; // becomes the workflow's result
    std::vector<future<std::string>> started;
    std::vector<spawned<>> beside;
};

task<> play(context ctx, dice program, std::uint32_t depth, notes& shared);

/// Charges, and takes it back when it is stopped.
task<std::string> saga(context ctx, std::uint32_t amount)
{
    const shop::order order{"A", amount};
    const auto charged = co_await ctx.run(shop::charge(order)).as_result();
    const auto rest = co_await ctx.sleep(std::chrono::seconds(amount)).as_result();
    if (charged && !rest) co_await ctx.shielded().run(shop::refund("x")).as_result();
    if (!rest) rest.value();
    co_return charged ? *charged : "failed";
}

/// The steps that wait for one thing.
task<> simple_step(context ctx, std::uint32_t kind, std::uint32_t amount, notes& shared)
{
    const shop::order order{"A", amount};
    std::string& log = shared.log;
    switch (kind) {
    case 0: {
        const auto charged = co_await ctx.run(shop::charge(order)).as_result();
        log += charged ? *charged : "failed";
        break;
    }
    case 1: shared.started.push_back(ctx.start(shop::charge(order))); break;
    case 2: {
        const auto note = co_await ctx.receive(shop::note).within(std::chrono::seconds(amount));
        log += note.value_or("late");
        break;
    }
    case 3: co_await ctx.sleep(std::chrono::seconds(amount)); break;
    case 4: {
        const auto count = [&log] { return log.size(); };
        const std::size_t size = co_await ctx.side_effect(count);
        log += std::to_string(size);
        break;
    }
    case 5:
        if (!shared.started.empty()) {
            const auto& chosen = shared.started[amount % shared.started.size()];
            const auto charged = co_await chosen.as_result().within(2s);
            log += charged ? (*charged ? **charged : "failed") : "slow";
        }
        break;
    case 6: {
        const bool went = co_await ctx.receive(shop::go).within(1s);
        log += went ? "went" : "stayed";
        break;
    }
    case 7: log += std::to_string(ctx.now().time_since_epoch().count() % 1000); break;
    case 8: co_await ctx.run(shop::refund("x")); break; // its failure ends the task
    default: {
        const auto shipped =
            co_await ctx.run(shop::ship(order)).within(std::chrono::seconds(amount));
        log += shipped ? "shipped" : "lost";
    }
    }
    log += ' ';
}

/// The steps that wait for several things, in tasks that do the same one level deeper.
task<> compound_step(
    context ctx, std::uint32_t kind, std::uint32_t amount, dice& program, std::uint32_t depth,
    notes& shared)
{
    const shop::order order{"A", amount};
    const auto limit = std::chrono::seconds(1 + amount);
    std::string& log = shared.log;
    switch (kind) {
    case 0: {
        dice other(program.roll(1'000'000));
        shared.beside.push_back(ctx.spawn(play(ctx, other, depth + 1, shared)));
        break;
    }
    case 1: {
        if (shared.beside.empty()) break;
        const auto ended =
            co_await shared.beside[amount % shared.beside.size()].as_result().within(3s);
        log += !ended ? "beside" : *ended ? "ended" : ended->failure().what();
        break;
    }
    case 2: {
        dice other(program.roll(1'000'000));
        const auto both = co_await when_all(
                              play(ctx, other, depth + 1, shared), ctx.run(shop::charge(order)),
                              saga(ctx, amount))
                              .as_result();
        log += both ? std::get<1>(*both) + std::get<2>(*both) : both.failure().what();
        break;
    }
    case 3: {
        dice other(program.roll(1'000'000));
        const auto first = co_await select(
                               ctx.receive(shop::note), play(ctx, other, depth + 1, shared),
                               ctx.sleep(limit), saga(ctx, amount), ctx.run(shop::ship(order)))
                               .as_result();
        log += first ? std::to_string(first->index()) : first.failure().what();
        break;
    }
    case 4: {
        const auto all = co_await when_all(shared.started).as_result().within(limit);
        log += !all ? "slow" : *all ? std::to_string((**all).size()) : "failed";
        break;
    }
    case 5: {
        std::vector<operation<void>> several{
            ctx.sleep(limit), ctx.run(shop::refund("y")), ctx.receive(shop::go)};
        ctx.shuffle(several);
        auto coming = select(std::move(several));
        for (std::uint32_t i = 0; i != amount % 4 && !coming.empty(); ++i) {
            const auto next = co_await coming.within(limit);
            log += next ? std::to_string(next->index) : "none";
        }
        break;
    }
    case 6: {
        const auto refunded =
            co_await ctx.shielded().run(shop::refund("z")).as_result().within(limit);
        log += refunded ? "refunded" : "not yet";
        break;
    }
    default:
        log += std::to_string(ctx.uniform(-5, 5)) + std::to_string(ctx.random() % 10);
        if (ctx.uniform(0, 3) == 0) co_await ctx.sleep(limit);
    }
    log += ';';
}

task<> play(context ctx, dice program, std::uint32_t depth, notes& shared)
{
    const std::uint32_t steps = 1 + program.roll(depth == 0 ? 12 : 4);
    for (std::uint32_t i = 0; i != steps; ++i) {
        const std::uint32_t amount = program.roll(5);
        if (depth < 3 && program.roll(2) == 0) {
            const std::uint32_t kind = program.roll(8);
            co_await compound_step(ctx, kind, amount, program, depth, shared);
        } else {
            const std::uint32_t kind = program.roll(10);
            co_await simple_step(ctx, kind, amount, shared);
        }
    }
}

/// A program; one in three catches its cancellation and goes on shielded.
workflow_implementation random_program(std::uint32_t seed)
{
    return implement(shop::text, [seed](context ctx) -> task<std::string> {
        notes shared;
        bool stopped = false;
        try {
            co_await play(ctx, dice(seed), 0, shared);
        } catch (const cancelled&) {
            if (seed % 3 != 0) throw;
            stopped = true;
        }
        if (stopped) co_await play(ctx.shielded(), dice(seed + 1), 2, shared);
        co_return shared.log;
    });
}

/// Lets the world do something: time, signals, outcomes of activities (also late, twice, and of
/// none).
void happen(instance& led, dice& world)
{
    const std::uint32_t event = world.roll(61);
    const auto operation = static_cast<std::int32_t>(1 + world.roll(20));
    switch (event == 60 ? 6 : event % 6) {
    case 0: led.signal(shop::note(std::to_string(world.roll(100)))); break;
    case 1: led.signal(shop::go()); break;
    case 2: led.now += std::chrono::milliseconds(world.roll(3000)); break;
    case 3: led.fail(operation, {"odd", "unlucky", {}, true, nullptr}); break;
    case 6: led.cancel(); break;
    default: led.complete(operation, R"("paid")");
    }
}

} // namespace

TEST_CASE("random programs decide the same from every prefix of their history")
{
    const char* chosen = std::getenv("PERDURE_SEED");
    const std::uint32_t first =
        chosen != nullptr ? static_cast<std::uint32_t>(std::atoi(chosen)) : 1;
    const std::uint32_t count = chosen != nullptr ? 1 : 1'000;
    std::map<enum finish::kind, int> ends;
    for (std::uint32_t seed = first; seed != first + count; ++seed) {
        INFO(std::to_string(seed));
        dice world(seed + 1'000'000);
        instance led(random_program(seed), shop::text());
        for (int i = 0; i != 40 && !led.finished(); ++i) {
            for (std::uint32_t events = world.roll(5); events != 0; --events) happen(led, world);
            const decision made = led.activate();
            if (made.finish) ++ends[made.finish->kind];
        }
        led.check_replays(2);
        led.check_splits();
    }
    if (chosen != nullptr) return;
    CHECK(ends[finish::kind::completed] > 200);
    CHECK(ends[finish::kind::failed] > 40);
    CHECK(ends[finish::kind::cancelled] > 100);
}
