#include <pg/salvage.hpp>

#include <algorithm>
#include <utility>

namespace perdure::pg {

namespace {

/// What follows a comment that `sql` begins with; those with a star nest.
std::string_view behind_comment(std::string_view sql) noexcept
{
    if (sql.starts_with("--")) return sql.substr(std::min(sql.find_first_of("\r\n"), sql.size()));
    int depth = 0;
    do {
        const bool opens = sql.starts_with("/*");
        const bool closes = sql.starts_with("*/");
        depth += opens ? 1 : closes ? -1 : 0;
        sql.remove_prefix(opens || closes ? 2 : 1);
    } while (depth > 0 && !sql.empty());
    return sql;
}

bool begins_with_word(std::string_view sql, std::string_view word) noexcept
{
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c; };
    const auto goes_on = [&](char c) {
        return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    if (sql.size() < word.size() ||
        !std::ranges::equal(sql.substr(0, word.size()), word, {}, lower))
        return false;
    return sql.size() == word.size() || !goes_on(sql[word.size()]);
}

} // namespace

bool may_end_in_commit(std::string_view sql) noexcept
{
    constexpr std::string_view skipped = " \t\n\r\f\v;";
    for (;;) {
        sql.remove_prefix(std::min(sql.find_first_not_of(skipped), sql.size()));
        if (!sql.starts_with("--") && !sql.starts_with("/*")) break;
        sql = behind_comment(sql);
    }
    return begins_with_word(sql, "commit") || begins_with_word(sql, "end") ||
           begins_with_word(sql, "prepare");
}

salvage::action salvage::begin() noexcept
{
    switch (stake_) {
    case stake::nothing: return go(action::roll_back);
    case stake::open_transaction:
    case stake::implicit_transaction: return go(action::wait_briefly);
    // Cancelling the wait for a synchronous standby would make a commit visible that no standby
    // has.
    case stake::commit: break;
    }
    return go(action::drop);
}

salvage::action salvage::resume(outcome last) noexcept
{
    if (last == outcome::cancelled && std::exchange(signal_under_way_, false))
        return go(doing_); // what was meant for the old statement hit this one
    if (last == outcome::not_yet && doing_ == action::wait_briefly) return go(action::cancel);
    if (last != outcome::done) return go(action::drop);
    switch (doing_) {
    case action::cancel: signal_under_way_ = true; return go(action::drain);
    case action::wait_briefly:
    case action::drain: return go(action::roll_back);
    case action::roll_back: return go(stake_ == stake::nothing ? action::keep : action::reset);
    case action::reset: return go(action::keep);
    case action::keep:
    case action::drop: break;
    }
    return go(action::drop);
}

} // namespace perdure::pg
