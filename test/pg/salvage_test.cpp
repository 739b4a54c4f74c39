#include <pg/salvage.hpp>

#include <doctest/doctest.h>

#include <vector>

using perdure::pg::salvage;
using perdure::pg::stake;
using action = salvage::action;
using outcome = salvage::outcome;

namespace {

/// What a salvage does when its steps end like this; the last step is the verdict.
std::vector<action> steps(stake at_stake, std::vector<outcome> outcomes)
{
    salvage plan{at_stake};
    std::vector<action> done{plan.begin()};
    for (const outcome o : outcomes) done.push_back(plan.resume(o));
    return done;
}

} // namespace

TEST_CASE("what runs on the server is cancelled, drained, rolled back and reset before it is kept")
{
    for (const stake s : {stake::open_transaction, stake::implicit_transaction}) {
        const auto done = steps(
            s, {outcome::not_yet, outcome::done, outcome::done, outcome::done, outcome::done});
        CHECK(
            done == std::vector{
                        action::wait_briefly, action::cancel, action::drain, action::roll_back,
                        action::reset, action::keep});
    }
}

TEST_CASE("what ends by itself in a moment is not cancelled")
{
    CHECK(
        steps(stake::implicit_transaction, {outcome::done, outcome::done, outcome::done}) ==
        std::vector{action::wait_briefly, action::roll_back, action::reset, action::keep});
}

TEST_CASE("a transaction left open with nothing under way is only rolled back")
{
    CHECK(steps(stake::nothing, {outcome::done}) == std::vector{action::roll_back, action::keep});
}

TEST_CASE("once COMMIT was sent a session is dropped and nothing is cancelled")
{
    CHECK(steps(stake::commit, {}) == std::vector{action::drop});
}

TEST_CASE("a COMMIT is recognised however it is written")
{
    using perdure::pg::may_end_in_commit;
    for (const auto* sql :
         {"commit", "COMMIT", "Commit;", "commit and chain", " \t\r\n\f\vcommit", "end",
          "END TRANSACTION", "prepare transaction 'x'", "commit prepared 'x'", "commit--now",
          "-- why\ncommit", "--\rcommit", "/* why */commit", "/* a /* b */ c */ -- d\n/**/ end",
          ";commit", "/*/ */commit"})
        CHECK_MESSAGE(may_end_in_commit(sql), sql);
    for (const auto* sql :
         {"", " ", "--", "-- commit", "/* commit */", "/*", "/* /* */ commit", "/", "-", "select 1",
          "select 'commit'", "committed", "ending", "end_", "com", "rollback",
          "insert into commit values (1)", "\"commit\""})
        CHECK_MESSAGE(!may_end_in_commit(sql), sql);
}

TEST_CASE("a cancellation that arrives late hits the clean-up, which is repeated once")
{
    const std::vector<outcome> until_roll_back{outcome::not_yet, outcome::done, outcome::done};
    auto hit_roll_back = until_roll_back;
    for (const outcome o : {outcome::cancelled, outcome::done, outcome::done})
        hit_roll_back.push_back(o);
    CHECK(
        steps(stake::open_transaction, hit_roll_back) ==
        std::vector{
            action::wait_briefly, action::cancel, action::drain, action::roll_back,
            action::roll_back, action::reset, action::keep});

    auto hit_reset = until_roll_back;
    for (const outcome o : {outcome::done, outcome::cancelled, outcome::done})
        hit_reset.push_back(o);
    CHECK(steps(stake::open_transaction, hit_reset).back() == action::keep);

    auto hit_twice = hit_roll_back;
    hit_twice[4] = outcome::cancelled;
    hit_twice.resize(5);
    CHECK(steps(stake::open_transaction, hit_twice).back() == action::drop);
}

TEST_CASE("a clean-up that is cancelled by a stranger is given up")
{
    CHECK(
        steps(stake::implicit_transaction, {outcome::done, outcome::cancelled}).back() ==
        action::drop);
}

TEST_CASE("whatever goes wrong in a clean-up drops the session")
{
    const std::vector<outcome> all_well{
        outcome::not_yet, outcome::done, outcome::done, outcome::done, outcome::done};
    for (std::size_t i = 0; i < all_well.size(); ++i) {
        auto wrong = all_well;
        wrong.resize(i);
        wrong.push_back(outcome::failed);
        CHECK(steps(stake::open_transaction, wrong).back() == action::drop);
    }
}
