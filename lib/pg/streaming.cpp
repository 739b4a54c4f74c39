#include <pg/streaming.hpp>

#include <utility>

namespace perdure::pg {

namespace asio = boost::asio;

namespace {

constexpr int most_rows = 1000;
constexpr int most_bytes = 256 * 1024;

bool is_row(const result_pointer& r) noexcept
{
    return PQresultStatus(r.get()) == PGRES_SINGLE_TUPLE;
}

/// Appends the one row of `row`. Returns its length.
int append(PGresult* rows, const PGresult* row)
{
    const int at = PQntuples(rows);
    int length = 0;
    for (int column = 0; column < PQnfields(row); ++column) {
        const bool null = PQgetisnull(row, 0, column) != 0;
        const int size = null ? -1 : PQgetlength(row, 0, column);
        if (!PQsetvalue(rows, at, column, PQgetvalue(row, 0, column), size)) throw std::bad_alloc{};
        length += null ? 0 : size;
    }
    return length;
}

} // namespace

asio::awaitable<void> connection::session::streaming::start(
    std::shared_ptr<streaming> self, pipeline one)
{
    co_await refuse_if_cancelled();
    try {
        co_await self->begin(std::move(one));
    } catch (...) {
        self->ended();
        throw;
    }
}

asio::awaitable<result> connection::session::streaming::next(std::shared_ptr<streaming> self)
{
    if (self->done()) co_return result{};
    try {
        co_await refuse_if_cancelled();
        if (!self->session_->handle_) self->session_->throw_unusable(); // closed meanwhile
        if (!self->pending_) self->pending_ = co_await self->session_->next_result();
        if (is_row(self->pending_)) co_return self->gather();
        co_await self->finish();
    } catch (...) {
        self->ended();
        throw;
    }
    co_return result{};
}

/// To be called while an exception is handled: the session is lost with the connection, unharmed by
/// a refusal, and abandoned by anything else.
void connection::session::streaming::ended() noexcept
{
    try {
        throw;
    } catch (const error& e) {
        if (e.code() != make_error_code(errc::server_error)) session_->end(condition::lost);
    } catch (...) {}
    pending_.reset();
    running_.reset();
}

asio::awaitable<void> connection::session::streaming::begin(pipeline one)
{
    session& s = *session_;
    const bool alone = PQtransactionStatus(s.handle_->get()) == PQTRANS_IDLE;
    running_->started(s.stake_of(one));
    s.stale_statement_ = false;
    co_await send(one);
    if (s.stale_statement_ && alone) {
        co_await s.drain();
        co_await send(one); // prepared anew
    }
    if (PQresultStatus(pending_.get()) == PGRES_FATAL_ERROR) co_await finish();
}

/// Sends the statement and waits until `pending_` holds the beginning of its answer.
asio::awaitable<void> connection::session::streaming::send(pipeline& one)
{
    session& s = *session_;
    std::vector<command> commands;
    const bool sent = s.send_item(one.items().front(), 0, commands) && s.send_sync();
    if (!sent) {
        s.consume();
        throw lost_error(errc::connection_lost, s.last_words());
    }
    co_await s.flush();
    if (commands.size() == 2) { // the statement is prepared first
        pending_ = co_await s.next_result();
        if (PQresultStatus(pending_.get()) != PGRES_COMMAND_OK) co_return;
        s.prepared_.emplace(commands.front().key, commands.front().name);
        pending_ = co_await s.next_result(); // nothing: the end of that answer
    }
    if (PQsetSingleRowMode(s.handle_->get()) != 1)
        throw lost_error(errc::connection_lost, s.last_words());
    pending_ = co_await s.next_result();
    if (PQresultStatus(pending_.get()) == PGRES_FATAL_ERROR)
        s.note_stale(pending_.get(), commands.back().key);
}

/// Takes what has come already, so that there is one step of a coroutine for many rows.
result connection::session::streaming::gather()
{
    PGconn* pg = session_->handle_->get();
    result_pointer rows = std::move(pending_);
    int length = 0;
    bool copied = false;
    while (PQntuples(rows.get()) < most_rows && length < most_bytes && PQisBusy(pg) == 0) {
        pending_.reset(PQgetResult(pg));
        if (!is_row(pending_)) break;
        if (!std::exchange(copied, true)) // only a copy can be appended to
            rows.reset(PQcopyResult(rows.get(), PG_COPYRES_ATTRS | PG_COPYRES_TUPLES));
        if (!rows) throw std::bad_alloc{};
        length += append(rows.get(), pending_.get());
        pending_.reset();
    }
    return result{std::shared_ptr<const pg_result>{rows.release(), result_deleter{}}};
}

/// Receives the end of the statement and what belongs to it. Throws why it failed, if it did.
asio::awaitable<void> connection::session::streaming::finish()
{
    session& s = *session_;
    const ExecStatusType status = PQresultStatus(pending_.get());
    diagnostics words;
    switch (status) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY: break;
    case PGRES_FATAL_ERROR:
        words = pending_ ? read_diagnostics(pending_.get()) : s.last_words();
        if (words.sqlstate.empty() || ends_session(words))
            throw lost_error(errc::connection_lost, words);
        break;
    default:
        words.message = std::string{"a statement was answered with "} + PQresStatus(status) +
                        ", as COPY is, which is not supported";
        throw lost_error(errc::connection_lost, words);
    }
    pending_.reset();
    co_await s.drain();
    const bool refused = !words.message.empty();
    if (refused) co_await s.roll_back();
    if (unfit(words.sqlstate)) s.end(condition::lost);
    running_->finished();
    running_.reset();
    if (!refused) co_return;
    words.statement = 0;
    throw error{errc::server_error, describe(words), words};
}

} // namespace perdure::pg
