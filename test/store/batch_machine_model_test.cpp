// The batch machine against a model of the server: every sequence of mishaps of a certain length.
#include <store/batch_machine.hpp>

#include <doctest/doctest.h>

using namespace perdure::store;

using kind = enum batch_step::kind;
using indices = std::vector<std::size_t>;

namespace {

/// What an item is, which the machine must find out.
enum class nature
{
    good,
    poisoned,
    loser
};

/// What the world does to a step, when the items themselves do not decide it.
enum class mishap
{
    nothing,
    conflict,
    locked,
    slow,
    unavailable,
    lost_before_commit,
    lost_after_commit
};
constexpr std::size_t mishaps = 7;

/// The server, and whoever talks to it for the machine.
class model
{
public:
    model(std::vector<nature> items, std::vector<mishap> script, bool resolves, bool probes)
        : items_{std::move(items)},
          script_{std::move(script)},
          resolves_{resolves},
          probes_{probes},
          commits_(items_.size())
    {}

    void run()
    {
        batch_limits limits;
        limits.resolves = resolves_;
        limits.probes = probes_;
        batch_machine machine{std::vector<std::size_t>(items_.size(), 1), limits};
        for (int steps = 0;; ++steps) {
            REQUIRE(steps < 200);
            const batch_step step = machine.next();
            if (step.kind == kind::done) break;
            if (step.kind == kind::send) send(machine, step.items);
            if (step.kind == kind::probe) probe(machine, step.items);
            if (step.kind == kind::resolve) resolve(machine, step.items);
        }
        for (std::size_t i = 0; i < items_.size(); ++i) {
            switch (items_[i]) {
            case nature::good:
                REQUIRE(machine.outcome(i) == batch_outcome::confirmed);
                REQUIRE(commits_[i] == 1);
                break;
            case nature::poisoned: REQUIRE(machine.outcome(i) == batch_outcome::rejected); break;
            case nature::loser: REQUIRE(machine.outcome(i) == batch_outcome::lost); break;
            }
        }
    }

private:
    mishap happens() { return at_ < script_.size() ? script_[at_++] : mishap::nothing; }

    void commit(const indices& items)
    {
        for (const std::size_t item : items) {
            if (resolves_) REQUIRE(commits_[item] == 0); // it was known, or found out
            commits_[item] = 1;                          // else its key makes it harmless
        }
    }

    void send(batch_machine& machine, const indices& items)
    {
        const mishap what = happens();
        switch (what) {
        case mishap::unavailable: return machine.failed(batch_failure::unavailable);
        case mishap::locked: return machine.failed(batch_failure::locked);
        case mishap::conflict: return machine.failed(batch_failure::conflict);
        case mishap::slow: return machine.failed(batch_failure::slow);
        case mishap::lost_before_commit: return machine.failed(batch_failure::unknown);
        default: break;
        }
        indices losers;
        bool poisoned = false;
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (items_[items[i]] == nature::loser) losers.push_back(i + 1);
            poisoned = poisoned || items_[items[i]] == nature::poisoned;
        }
        if (!losers.empty()) return machine.fenced(losers);
        if (poisoned) return machine.failed(batch_failure::refused);
        commit(items);
        if (what == mishap::lost_after_commit) return machine.failed(batch_failure::unknown);
        machine.committed();
    }

    void probe(batch_machine& machine, const indices& items)
    {
        REQUIRE(probes_);
        std::vector<bool> locked(items.size());
        switch (happens()) {
        case mishap::nothing: break;
        case mishap::locked: locked.front() = true; break;
        case mishap::unavailable: return machine.failed(batch_failure::unavailable);
        case mishap::conflict: return machine.failed(batch_failure::conflict);
        case mishap::slow: return machine.failed(batch_failure::slow);
        default: return machine.failed(batch_failure::unknown);
        }
        machine.probed(locked);
    }

    void resolve(batch_machine& machine, const indices& items)
    {
        REQUIRE(resolves_);
        switch (happens()) {
        case mishap::nothing: break;
        case mishap::unavailable: return machine.failed(batch_failure::unavailable);
        case mishap::locked: return machine.failed(batch_failure::locked);
        case mishap::conflict: return machine.failed(batch_failure::conflict);
        case mishap::slow: return machine.failed(batch_failure::slow);
        default: return machine.failed(batch_failure::unknown);
        }
        std::vector<bool> settled;
        for (const std::size_t item : items) settled.push_back(commits_[item] == 1);
        machine.resolved(settled);
    }

    std::vector<nature> items_;
    std::vector<mishap> script_;
    bool resolves_;
    bool probes_;
    std::vector<int> commits_;
    std::size_t at_ = 0;
};

} // namespace

TEST_CASE("whatever happens, each item is settled as it deserves and committed once")
{
    constexpr std::size_t length = 4;
    std::size_t scripts = 1;
    for (std::size_t i = 0; i < length; ++i) scripts *= mishaps;
    for (std::size_t natures = 0; natures < 27; ++natures)
        for (std::size_t chosen = 0; chosen < scripts; ++chosen) {
            std::vector<nature> items;
            for (std::size_t rest = natures; items.size() < 3; rest /= 3)
                items.push_back(static_cast<nature>(rest % 3));
            std::vector<mishap> script;
            for (std::size_t rest = chosen; script.size() < length; rest /= mishaps)
                script.push_back(static_cast<mishap>(rest % mishaps));
            model{items, script, true, true}.run();
            model{items, script, false, true}.run();
            model{items, script, false, false}.run();
        }
}
