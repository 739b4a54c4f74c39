#include <pg/pipeline_reader.hpp>

#include <cassert>
#include <string>
#include <utility>

namespace perdure::pg {

namespace {

error refused_error(const diagnostics& words)
{
    return {errc::server_error, describe(words), words};
}

} // namespace

void pipeline_reader::succeeded(std::size_t item, result answer, std::string_view tag)
{
    assert(item == results_.size());
    if (item == commit_) {
        // A transaction that had failed answers COMMIT with a rollback, and calls it success.
        if (tag != "COMMIT") {
            diagnostics words;
            words.message = "the transaction was rolled back instead of committed";
            refused(item, std::move(words));
            return;
        }
        committed_ = true;
    }
    results_.push_back(std::move(answer));
}

void pipeline_reader::refused(std::size_t item, diagnostics words)
{
    if (refusal_) return;
    words.statement = static_cast<std::int32_t>(item);
    refusal_ = std::move(words);
}

void pipeline_reader::commit_warned(diagnostics words)
{
    if (!warning_) warning_ = std::move(words);
}

void pipeline_reader::lost(diagnostics words, errc why)
{
    if (loss_) return;
    loss_ = std::move(words);
    why_lost_ = why;
}

pipeline_reader::verdict pipeline_reader::judge() const noexcept
{
    if (warning_) return verdict::commit_unknown;
    if (committed_) return verdict::success;
    if (refusal_) return verdict::refused; // the rest was skipped, the commit with it
    if (!loss_) return verdict::success;
    return commit_sent_ ? verdict::commit_unknown : verdict::lost;
}

error pipeline_reader::failure() const
{
    switch (judge()) {
    case verdict::refused: return refused_error(*refusal_);
    case verdict::lost: return lost_error(why_lost_, *loss_);
    case verdict::commit_unknown: break;
    case verdict::success: assert(false); break;
    }
    const diagnostics& words = warning_ ? *warning_ : *loss_;
    return {
        errc::commit_unknown,
        "it is not known whether the transaction was committed: " + describe(words), words};
}

pipeline_result pipeline_reader::take_result()
{
    std::optional<error> after_commit;
    if (committed_ && refusal_)
        after_commit = refused_error(*refusal_);
    else if (committed_ && loss_)
        after_commit = lost_error(why_lost_, *loss_);
    return pipeline_result{std::move(results_), committed_, std::move(after_commit)};
}

error lost_error(errc why, const diagnostics& words)
{
    if (why == errc::response_timed_out)
        return {why, describe(words) + "; the connection was dropped", words};
    return {why, "the connection to the server was lost: " + describe(words), words};
}

bool means_unknown_commit(const diagnostics& notice) noexcept
{
    return notice.severity == "WARNING" && notice.where.empty() &&
           (notice.sqlstate == "57P01" || notice.sqlstate == "01000");
}

} // namespace perdure::pg
