// A select over many operands that gives one outcome after the other.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/detail/cancel_scope.hpp>
#include <perdure/workflow/detail/wait.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace perdure::detail {

class selection_wait;

/// The operands, waited for since the first await, and the outcomes that nobody has taken yet.
class PERDURE_DECL selection_state : public wait_parent
{
public:
    selection_state(const selection_state&) = delete;
    selection_state& operator=(const selection_state&) = delete;

    virtual ~selection_state() = default;

    std::size_t size() const noexcept { return operands_.size() - taken_; }

protected:
    selection_state() noexcept = default;

    void add(wait& operand);

    /// Gives up what is left.
    void cancel();

private:
    friend class selection_wait;

    void child_over(std::size_t index) override;
    void order_by_completion();

    std::vector<wait*> operands_;
    std::vector<std::size_t> to_start_; // places of operands, in the order in which they start
    std::vector<std::size_t> over_;     // and of those that are over, in that order
    std::size_t started_ = 0;           // how many of to_start_
    std::size_t taken_ = 0;             // how many of over_
    selection_wait* waiting_ = nullptr;
};

/// A wait for the next outcome.
class PERDURE_DECL selection_wait : public wait
{
protected:
    explicit selection_wait(std::shared_ptr<selection_state> from) noexcept : from_(std::move(from))
    {}
    /// The place of the operand whose outcome is next, which is taken with this.
    std::size_t next();

private:
    friend class selection_state;

    bool start(cancel_scope& scope) final;
    bool cancel() final;

    std::shared_ptr<selection_state> from_;
    bool refused_ = false;
};

template <class Operand>
class typed_selection final : public selection_state
{
public:
    explicit typed_selection(std::vector<Operand> operands)
    {
        for (Operand& each : operands) add(waits_.emplace_back(std::move(each)));
    }
    ~typed_selection() override { cancel(); } // while the operands are there

    wait_for<Operand>& operand(std::size_t index) { return waits_[index]; }

private:
    std::deque<wait_for<Operand>> waits_; // which cannot be moved
};

} // namespace perdure::detail
