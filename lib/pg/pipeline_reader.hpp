// Decides what the answers to a pipeline mean. A state machine without I/O: it is told what came,
// in order, and says at the end whether the pipeline succeeded, was refused, or lost its
// connection, and on which side of the commit.
#pragma once

#include <perdure/pg/error.hpp>
#include <perdure/pg/pipeline.hpp>
#include <perdure/pg/result.hpp>

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace perdure::pg {

class pipeline_reader
{
public:
    enum class verdict
    {
        success,        ///< All answered, or committed and then failed: see `after_commit`.
        refused,        ///< A statement failed before the commit; nothing was committed.
        lost,           ///< The connection broke and no commit was under way.
        commit_unknown, ///< It broke, or the server warned, between COMMIT and its answer.
    };

    /// `commit`: index of the pipeline's commit, if it has one.
    explicit pipeline_reader(std::optional<std::size_t> commit) : commit_{commit} {}

    /// The commit is about to be handed to libpq; from here on it may reach the server.
    void commit_sent() noexcept { commit_sent_ = true; }

    /// Statement `item` was answered, with this command tag. Statements are answered in order.
    void succeeded(std::size_t item, result answer, std::string_view tag);

    /// The server refused statement `item`, when preparing or when executing it. The first refusal
    /// counts.
    void refused(std::size_t item, diagnostics words);

    /// The server warned while the commit was under way; see `means_unknown_commit`.
    void commit_warned(diagnostics words);

    /// The connection is gone, or given up as silent. The first words count: a server that shuts
    /// down says why, then libpq says it is gone.
    void lost(diagnostics words, errc why = errc::connection_lost);

    bool committed() const noexcept { return committed_; }
    bool is_lost() const noexcept { return loss_.has_value(); }
    verdict judge() const noexcept;

    /// The exception for a verdict other than success.
    error failure() const;

    /// What a success returns. Moves the results out.
    pipeline_result take_result();

private:
    std::optional<std::size_t> commit_;
    std::vector<result> results_;
    std::optional<diagnostics> refusal_;
    std::optional<diagnostics> loss_;
    errc why_lost_ = errc::connection_lost;
    std::optional<diagnostics> warning_;
    bool commit_sent_ = false;
    bool committed_ = false;
};

/// What who waits for an answer is told when the connection is gone.
error lost_error(errc why, const diagnostics& words);

/// True for the warning with which a server stops waiting for a synchronous standby, and reports
/// success or ends the session: the commit may be lost in a failover. A warning with a context
/// comes from a deferred trigger instead.
bool means_unknown_commit(const diagnostics& notice) noexcept;

} // namespace perdure::pg
