// Statements that travel together: one network round trip, one answer each.
#pragma once

#include <perdure/config.hpp>
#include <perdure/pg/error.hpp>
#include <perdure/pg/parameters.hpp>
#include <perdure/pg/result.hpp>
#include <perdure/pg/statement.hpp>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace perdure::pg {

/// Statements that are sent in one round trip, in the order they were added. Without `begin` they
/// form one implicit transaction. Arguments are encoded when they are added; nothing they refer to
/// need live longer.
class PERDURE_DECL pipeline
{
public:
    /// One statement and its arguments.
    struct item
    {
        pg::statement statement;
        pg::parameters parameters;
    };

    /// Adds a statement; returns the index of its result. Argument types: see `parameters`. Throws
    /// `error` with errc::bad_value when there are more arguments than the statement can have
    /// parameters.
    template <class... A>
    std::size_t add(const statement& s, const A&... arguments)
    {
        parameters encoded;
        (encoded.add(arguments), ...);
        return add_encoded(s, std::move(encoded));
    }

    /// Adds a statement whose arguments are encoded already; returns the index of its result.
    std::size_t add_encoded(const statement& s, parameters encoded);

    /// Adds `begin isolation level read committed`; returns the index of its result.
    std::size_t begin();

    /// Adds `commit`; returns the index of its result. From the moment it is sent until it is
    /// answered a lost connection means errc::commit_unknown; what is added after it runs in a
    /// transaction of its own. At most one a pipeline: a second call throws std::logic_error.
    std::size_t commit();

    bool empty() const noexcept { return items_.empty(); }
    std::size_t size() const noexcept { return items_.size(); }
    const std::vector<item>& items() const noexcept { return items_; }
    const std::optional<std::size_t>& commit_index() const noexcept { return commit_; }

    /// True if its first statement is `begin`.
    bool begins() const noexcept { return begins_; }

private:
    std::vector<item> items_;
    std::optional<std::size_t> commit_;
    bool begins_ = false;
};

/// What a pipeline returned: a result for each statement, in order.
class pipeline_result
{
public:
    pipeline_result() = default;
    pipeline_result(std::vector<result> results, bool committed, std::optional<error> after_commit)
        : results_{std::move(results)},
          committed_{committed},
          after_commit_{std::move(after_commit)}
    {}

    /// The result of the statement with this index. Throws std::out_of_range when there is none:
    /// the index is wrong, or the statement came after the commit and did not run (see
    /// `after_commit`).
    const result& operator[](std::size_t index) const { return results_.at(index); }

    /// Number of statements that were answered.
    std::size_t size() const noexcept { return results_.size(); }

    /// True if the pipeline held a `commit` and the server confirmed it.
    bool committed() const noexcept { return committed_; }

    /// What went wrong after the confirmed commit, if anything did: the statements from there on
    /// did not run.
    const std::optional<error>& after_commit() const noexcept { return after_commit_; }

private:
    std::vector<result> results_;
    bool committed_ = false;
    std::optional<error> after_commit_;
};

} // namespace perdure::pg
