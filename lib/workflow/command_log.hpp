// The commands of one activation: recorded as the code emits them, or, in a replay, compared with
// what was recorded.
#pragma once

#include <perdure/workflow/event.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace perdure::detail {

/// Where code and history part.
struct command_mismatch
{
    std::int32_t position = 0; ///< of the event in the run's history, from 1
    std::string recorded;      ///< the history's line
    std::string emitted;       ///< the code's line
};

class command_log
{
public:
    /// From now on commands are recorded.
    void record();

    /// From now on commands are compared with these, which must stay valid until \ref end.
    /// \param position of the first of them in the history, from 1.
    void check(std::span<const event> recorded, std::int32_t position);

    bool checking() const noexcept { return checking_; }

    /// Takes a command from the code.
    /// \returns the command as it stands in the history, valid until the next call; null when it is
    /// not the one that the history has here: then there is a mismatch, and nothing more may be
    /// emitted.
    const event* emit(event command);

    /// The activation is over: what the history has in addition is a mismatch, too.
    void end();

    const std::optional<command_mismatch>& mismatch() const noexcept { return mismatch_; }

    /// How many commands were recorded.
    std::size_t recorded() const noexcept { return recorded_.size(); }

    /// What was recorded.
    std::vector<event> take() noexcept;

private:
    bool checking_ = false;
    std::span<const event> expected_; // those not emitted yet
    std::int32_t position_ = 0;       // of the first of them
    std::vector<event> recorded_;
    std::optional<command_mismatch> mismatch_;
};

} // namespace perdure::detail
