#include <store/batch_operation.hpp>
#include <store/classify.hpp>

#include <perdure/pg/error.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <utility>

namespace perdure::store {

namespace asio = boost::asio;

namespace {

constexpr const char* stayed_locked =
    "another transaction held a lock on the instance for too long";

void report(
    store_core& core, batch_machine& machine, const pg::error& failure,
    std::chrono::milliseconds took)
{
    const std::optional<batch_failure> how = classify(failure);
    if (!how) throw failure;
    if (*how == batch_failure::fenced) return machine.fenced(losers_of(failure));
    machine.failed(*how, took);
    core.announcements.troubled("a batch could not be committed and is sent again", failure);
}

[[noreturn]] void give_up(const batch_machine& machine, const std::optional<pg::error>& last)
{
    if (!last) throw std::logic_error{"a batch was given up without a reason"};
    if (!machine.in_doubt()) throw *last;
    throw pg::error{
        pg::errc::commit_unknown,
        std::string{"whether the change was committed could not be found out: "} + last->what(),
        last->diagnostics()};
}

} // namespace

batch_operation::batch_operation(store_core& core) : core_{core}, since_{core.clock.surely_passed()}
{
    if (core.clock.known()) begun_ = core.clock.now();
}

batch_operation::~batch_operation() = default;

void batch_operation::not_told()
{
    if (const auto led = std::exchange(told_as_, std::nullopt)) core_.announcements.not_told(*led);
}

pg::pipeline batch_operation::begin() const
{
    pg::pipeline work;
    work.begin();
    work.add(core_.sql.durable_settings);
    return work;
}

void batch_operation::observe_clock(const pg::pipeline_result& results)
{
    constexpr std::size_t settings = 1; // their place in the pipeline
    core_.clock.observe(results[settings].get<timestamp>(0, 0));
}

pg::pipeline batch_operation::build_probe(batch_items)
{
    throw std::logic_error{"this operation probes nothing"};
}

std::vector<bool> batch_operation::probed(batch_items, const pg::pipeline_result&)
{
    throw std::logic_error{"this operation probes nothing"};
}

pg::pipeline batch_operation::build_resolve(batch_items)
{
    throw std::logic_error{"this operation resolves nothing"};
}

std::vector<bool> batch_operation::resolved(batch_items, const pg::pipeline_result&)
{
    throw std::logic_error{"this operation resolves nothing"};
}

void batch_operation::lost(std::size_t)
{
    throw std::logic_error{"this operation has no fence"};
}

asio::awaitable<void> run_batch(
    store_core& core, batch_operation& operation, std::vector<std::size_t> bytes,
    batch_limits limits, batch_progress progress)
{
    batch_machine machine{bytes, limits};
    asio::steady_timer timer{co_await asio::this_coro::executor};
    std::optional<pg::error> last_failure;
    for (;;) {
        const batch_step step = machine.next();
        const auto begun = std::chrono::steady_clock::now();
        std::optional<pg::error> failure;
        try {
            switch (step.kind) {
            case batch_step::kind::done: co_return;
            case batch_step::kind::give_up: give_up(machine, last_failure);
            case batch_step::kind::wait:
                if (progress.held_up && machine.held_up()) progress.held_up();
                timer.expires_after(step.pause);
                co_await timer.async_wait(asio::use_awaitable);
                continue;
            case batch_step::kind::reject:
                for (const std::size_t item : step.items)
                    operation.rejected(
                        item, step.locked || !last_failure ? stayed_locked : last_failure->what());
                break;
            case batch_step::kind::send: {
                pg::pipeline work = operation.build(step.items);
                const pg::pipeline_result results = co_await core.pool.run(std::move(work));
                if (results.after_commit()) {
                    operation.not_told();
                    core.announcements.troubled(
                        "a commit's notification could not be sent", *results.after_commit());
                }
                operation.observe_clock(results);
                machine.committed(operation.confirmed(step.items, results));
                break;
            }
            case batch_step::kind::probe: {
                pg::pipeline question = operation.build_probe(step.items);
                const pg::pipeline_result results = co_await core.pool.run(std::move(question));
                machine.probed(operation.probed(step.items, results));
                break;
            }
            case batch_step::kind::resolve: {
                pg::pipeline question = operation.build_resolve(step.items);
                const pg::pipeline_result results = co_await core.pool.run(std::move(question));
                machine.resolved(operation.resolved(step.items, results));
                break;
            }
            }
        } catch (const pg::error& thrown) {
            if (step.kind == batch_step::kind::give_up) throw;
            operation.not_told();
            failure = thrown;
        } catch (...) {
            operation.not_told();
            throw;
        }
        if (failure) {
            const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
                std::chrono::steady_clock::now() - begun);
            report(core, machine, *failure, took);
        }
        for (const std::size_t item : step.items) {
            const batch_outcome outcome = machine.outcome(item);
            if (outcome == batch_outcome::open) continue;
            if (outcome == batch_outcome::lost) operation.lost(item);
            if (outcome == batch_outcome::rejected && failure)
                operation.rejected(item, failure->what());
            progress.settled(item);
        }
        if (failure) last_failure = std::move(failure);
    }
}

} // namespace perdure::store
