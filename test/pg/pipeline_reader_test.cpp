#include "session.hpp"

#include <pg/pipeline_reader.hpp>

#include <doctest/doctest.h>

using namespace perdure;
using pg::pipeline_reader;
using verdict = pg::pipeline_reader::verdict;

namespace {

pg::diagnostics words(
    std::string message, std::string sqlstate = {}, std::string severity = "ERROR")
{
    pg::diagnostics d;
    d.message = std::move(message);
    d.sqlstate = std::move(sqlstate);
    d.severity = std::move(severity);
    return d;
}

constexpr std::size_t begin = 0, work = 1, commit = 2, notify = 3;

/// begin; work; commit; notify, sent.
pipeline_reader sent_transaction()
{
    pipeline_reader r{commit};
    r.commit_sent();
    return r;
}

} // namespace

TEST_CASE("a pipeline whose statements are all answered succeeds")
{
    pipeline_reader r = sent_transaction();
    r.succeeded(begin, {}, "BEGIN");
    r.succeeded(work, {}, "SELECT 1");
    r.succeeded(commit, {}, "COMMIT");
    r.succeeded(notify, {}, "SELECT 1");
    CHECK(r.judge() == verdict::success);
    const pg::pipeline_result all = r.take_result();
    CHECK(all.size() == 4);
    CHECK(all.committed());
    CHECK(!all.after_commit());
}

TEST_CASE(
    "a statement refused before the commit is a server error, even if the connection breaks then")
{
    pipeline_reader r = sent_transaction();
    r.succeeded(begin, {}, "BEGIN");
    r.refused(work, words("duplicate", "23505"));
    r.refused(work, words("a later one", "25P02"));
    r.lost(words("gone"));
    CHECK(r.judge() == verdict::refused);
    const pg::error e = r.failure();
    CHECK(e.code() == pg::errc::server_error);
    CHECK(e.sqlstate() == "23505");
    CHECK(e.diagnostics().statement == work);
}

TEST_CASE("a connection lost before the commit was sent lost nothing but itself")
{
    pipeline_reader r{commit};
    r.lost(words("gone"));
    CHECK(r.judge() == verdict::lost);
    CHECK(r.failure().code() == pg::errc::connection_lost);
}

TEST_CASE("a connection lost between COMMIT and its answer leaves the commit unknown")
{
    for (const std::size_t answered : {begin, work, commit}) {
        pipeline_reader r = sent_transaction();
        for (std::size_t i = 0; i < answered; ++i) r.succeeded(i, {}, "X");
        r.lost(words("first words", "57P01", "FATAL"));
        r.lost(words("server closed the connection"));
        CHECK(r.judge() == verdict::commit_unknown);
        CHECK(r.failure().code() == pg::errc::commit_unknown);
        CHECK(r.failure().sqlstate() == "57P01");
    }
}

TEST_CASE("what fails after a confirmed commit is reported beside the success")
{
    pipeline_reader refused = sent_transaction();
    for (std::size_t i = 0; i < commit; ++i) refused.succeeded(i, {}, "X");
    refused.succeeded(commit, {}, "COMMIT");
    refused.refused(notify, words("payload string too long", "22023"));
    CHECK(refused.judge() == verdict::success);
    const pg::pipeline_result answered = refused.take_result();
    CHECK(answered.committed());
    CHECK(answered.size() == 3);
    REQUIRE(answered.after_commit());
    CHECK(answered.after_commit()->sqlstate() == "22023");

    pipeline_reader lost = sent_transaction();
    for (std::size_t i = 0; i < commit; ++i) lost.succeeded(i, {}, "X");
    lost.succeeded(commit, {}, "COMMIT");
    lost.lost(words("gone"));
    CHECK(lost.judge() == verdict::success);
    const pg::pipeline_result cut = lost.take_result();
    REQUIRE(cut.after_commit());
    CHECK(cut.after_commit()->code() == pg::errc::connection_lost);
}

TEST_CASE("a COMMIT that the server answers with ROLLBACK is refused")
{
    pipeline_reader r = sent_transaction();
    r.succeeded(begin, {}, "BEGIN");
    r.succeeded(work, {}, "X");
    r.succeeded(commit, {}, "ROLLBACK");
    CHECK(r.judge() == verdict::refused);
    CHECK(!r.committed());
}

TEST_CASE("a cancelled wait for a synchronous standby leaves the commit unknown although COMMIT is "
          "answered")
{
    pg::diagnostics cancelled =
        words("canceling wait for synchronous replication due to user request", "01000", "WARNING");
    CHECK(pg::means_unknown_commit(cancelled));
    CHECK(pg::means_unknown_commit(words("canceling the wait …", "57P01", "WARNING")));
    CHECK(!pg::means_unknown_commit(words("just so you know", "00000", "NOTICE")));
    pg::diagnostics trigger = cancelled;
    trigger.where = "PL/pgSQL function warn() line 1 at RAISE";
    CHECK(!pg::means_unknown_commit(trigger));

    pipeline_reader r = sent_transaction();
    r.succeeded(begin, {}, "BEGIN");
    r.succeeded(work, {}, "X");
    r.commit_warned(cancelled);
    r.succeeded(commit, {}, "COMMIT");
    CHECK(r.judge() == verdict::commit_unknown);
    CHECK(r.failure().diagnostics().message == cancelled.message);
}
