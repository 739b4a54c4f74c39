// What is cancelled together: a run, and within it a task that a select or when_all no longer
// needs.
#pragma once

namespace perdure::detail {

class runtime;

/// Level-triggered: once cancelled it stays so, and with it every scope inside.
class cancel_scope
{
public:
    /// Not open yet.
    cancel_scope() noexcept = default;
    cancel_scope(const cancel_scope&) = delete;
    cancel_scope& operator=(const cancel_scope&) = delete;

    /// The scope of a run.
    explicit cancel_scope(runtime& run) noexcept : run_(&run) {}

    /// Becomes a scope inside another one, which must outlive it.
    void open(const cancel_scope& outer) noexcept
    {
        run_ = outer.run_;
        outer_ = &outer;
    }

    runtime& run() const noexcept { return *run_; }

    bool cancelled() const noexcept
    {
        for (const cancel_scope* scope = this; scope != nullptr; scope = scope->outer_) {
            if (scope->cancelled_) return true;
        }
        return false;
    }

    /// From now on what is awaited inside is interrupted; runtime::interrupt_cancelled does so with
    /// what is awaited already.
    void cancel() noexcept { cancelled_ = true; }

private:
    runtime* run_ = nullptr;
    const cancel_scope* outer_ = nullptr;
    bool cancelled_ = false;
};

} // namespace perdure::detail
