// Random programs on random worlds: whatever a workflow does and whatever arrives, replaying any
// prefix of its history and going on leads to the same decisions as staying alive. Each program is
// drawn from a seed, which a failure names.
#include "instance.hpp"
#include "shop.hpp"

#include <cstdlib>
#include <random>

using namespace perdure;
using namespace std::chrono_literals;

namespace {

/// Numbers that are the same with every standard library.
class dice
{
public:
    explicit dice(std::uint32_t seed) : engine_(seed) {}
    std::uint32_t roll(std::uint32_t sides)
    {
        return static_cast<std::uint32_t>(engine_() % sides);
    }

private:
    std::mt19937 engine_;
};

/// One step of a random program; what it was given goes into the log, which becomes the workflow's
/// result.
task<> step(
    context ctx, std::uint32_t kind, std::uint32_t amount, std::string& log,
    std::vector<future<std::string>>& started)
{
    const shop::order order{"A", amount};
    switch (kind) {
    case 0: {
        const auto charged = co_await ctx.run(shop::charge(order)).as_result();
        log += charged ? *charged : "failed";
        break;
    }
    case 1: started.push_back(ctx.start(shop::charge(order))); break;
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
        if (!started.empty()) {
            const auto charged = co_await started[amount % started.size()].as_result().within(2s);
            log += charged ? (*charged ? **charged : "failed") : "slow";
        }
        break;
    case 6: {
        const bool went = co_await ctx.receive(shop::go).within(1s);
        log += went ? "went" : "stayed";
        break;
    }
    case 7: log += std::to_string(ctx.now().time_since_epoch().count() % 1000); break;
    case 8: co_await ctx.run(shop::refund("x")); break; // its failure ends the workflow
    default: {
        const auto shipped =
            co_await ctx.run(shop::ship(order)).within(std::chrono::seconds(amount));
        log += shipped ? "shipped" : "lost";
    }
    }
    log += ' ';
}

workflow_implementation random_program(std::uint32_t seed)
{
    return implement(shop::text, [seed](context ctx) -> task<std::string> {
        dice program(seed);
        std::string log;
        std::vector<future<std::string>> started;
        const std::uint32_t steps = 1 + program.roll(12);
        for (std::uint32_t i = 0; i != steps; ++i) {
            const std::uint32_t kind = program.roll(10);
            co_await step(ctx, kind, program.roll(5), log, started);
        }
        co_return log;
    });
}

/// Lets the world do something: time, signals, outcomes of activities (also late, twice, and of
/// none).
void happen(instance& led, dice& world)
{
    switch (world.roll(6)) {
    case 0: led.signal(shop::note(std::to_string(world.roll(100)))); break;
    case 1: led.signal(shop::go()); break;
    case 2: led.now += std::chrono::milliseconds(world.roll(3000)); break;
    case 3:
        led.fail(
            static_cast<std::int32_t>(1 + world.roll(12)), {"odd", "unlucky", {}, true, nullptr});
        break;
    default: led.complete(static_cast<std::int32_t>(1 + world.roll(12)), R"("paid")");
    }
}

} // namespace

TEST_CASE("random programs decide the same from every prefix of their history")
{
    const char* chosen = std::getenv("PERDURE_SEED");
    const std::uint32_t first =
        chosen != nullptr ? static_cast<std::uint32_t>(std::atoi(chosen)) : 1;
    const std::uint32_t count = chosen != nullptr ? 1 : 300;
    int finished = 0;
    for (std::uint32_t seed = first; seed != first + count; ++seed) {
        INFO(std::to_string(seed));
        dice world(seed + 1'000'000);
        instance led(random_program(seed), shop::text());
        for (int i = 0; i != 60 && !led.finished(); ++i) {
            for (std::uint32_t events = world.roll(4); events != 0; --events) happen(led, world);
            led.activate();
        }
        finished += led.finished() ? 1 : 0;
        led.check_replays(led.history().size());
    }
    CHECK((chosen != nullptr || finished > 200));
}
