#include <pg/session.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <poll.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace perdure::pg {

namespace asio = boost::asio;

namespace {

constexpr std::size_t most_prepared = 1000;
constexpr int binary = 1;

/// Arguments as libpq takes them.
struct libpq_arguments
{
    explicit libpq_arguments(const parameters& p)
    {
        const auto* data = reinterpret_cast<const char*>(p.data().data());
        for (const parameters::entry& e : p.entries()) {
            types.push_back(static_cast<Oid>(e.type));
            if (e.length < 0)
                values.push_back(nullptr);
            else
                values.push_back(e.length == 0 ? "" : data + e.offset); // null would be NULL
            lengths.push_back(std::max(e.length, 0));
            formats.push_back(binary);
        }
    }

    int count() const noexcept { return static_cast<int>(types.size()); }

    std::vector<Oid> types;
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
};

std::string prepared_key(const pipeline::item& item)
{
    std::string key{item.statement.name()};
    for (const parameters::entry& e : item.parameters.entries())
        key.append(",").append(std::to_string(static_cast<std::uint32_t>(e.type)));
    return key;
}

/// True if the failure comes from the prepared statement itself: its tables changed ("cached plan
/// must not change result type"), or somebody dropped it.
bool is_stale(const PGresult* refusal) noexcept
{
    const auto field = [refusal](int code) {
        const char* text = PQresultErrorField(refusal, code);
        return std::string_view{text ? text : ""};
    };
    const std::string_view sqlstate = field(PG_DIAG_SQLSTATE);
    return sqlstate == "26000" ||
           (sqlstate == "0A000" && field(PG_DIAG_SOURCE_FUNCTION) == "RevalidateCachedQuery");
}

} // namespace

connection::session::session(
    std::unique_ptr<handle> established, asio::posix::stream_descriptor socket,
    connection_options options)
    : handle_{std::move(established)},
      socket_{std::move(socket)},
      timer_{socket_.get_executor()},
      options_{std::move(options)},
      response_timeout_{options_.response_timeout()}
{}

connection::session::operation::operation(session& s) : session_{s}
{
    if (!s.usable()) s.throw_unusable();
    if (s.busy_) throw std::logic_error{"a connection runs one operation at a time"};
    s.busy_ = true;
}

connection::session::operation::~operation()
{
    session_.busy_ = false;
    if (sent_) session_.abandon();
    session_.report_notices();
}

void connection::session::end(condition why) noexcept
{
    if (!handle_) return;
    condition_ = why;
    boost::system::error_code ignored;
    static_cast<void>(socket_.close(ignored));
    handle_.reset();
}

void connection::session::throw_unusable() const
{
    switch (condition_) {
    case condition::lost: throw error{errc::closed, "the connection was lost before"};
    case condition::abandoned:
        throw error{errc::closed, "the connection was given up when an operation was cancelled"};
    default: throw error{errc::closed, "the connection was closed"};
    }
}

bool connection::session::clean() const noexcept
{
    return usable() && !busy_ && PQtransactionStatus(handle_->get()) == PQTRANS_IDLE;
}

bool connection::session::in_transaction() const noexcept
{
    return usable() && PQtransactionStatus(handle_->get()) == PQTRANS_INTRANS;
}

bool connection::session::check_idle() noexcept
{
    if (!clean()) return false;
    bool alive = true;
    pollfd socket{PQsocket(handle_->get()), POLLIN, 0};
    try {
        while (alive && !socket_gone() && poll(&socket, 1, 0) > 0) {
            // Nothing was asked: what is there is a notice, a notification or the end.
            alive = consume() && !PQisBusy(handle_->get()) && !server_said_goodbye();
        }
    } catch (...) { // no memory for what came
        alive = false;
    }
    if (!alive || socket_gone()) end(condition::lost);
    return usable();
}

int connection::session::backend_pid() const noexcept
{
    return usable() ? PQbackendPID(handle_->get()) : 0;
}

int connection::session::server_version() const noexcept
{
    return usable() ? PQserverVersion(handle_->get()) : 0;
}

std::vector<diagnostics> connection::session::take_notices()
{
    if (!usable()) return {};
    auto& notices = handle_->notices();
    std::vector<diagnostics> taken{
        std::make_move_iterator(notices.begin()), std::make_move_iterator(notices.end())};
    notices.clear();
    return taken;
}

void connection::session::report_notices() noexcept
{
    if (!handle_ || !options_.on_notice() || handle_->notices().empty()) return;
    const auto notices = std::exchange(handle_->notices(), {});
    for (const diagnostics& notice : notices) options_.on_notice()(notice);
}

asio::awaitable<pipeline_result> connection::session::run(pointer self, pipeline statements)
{
    operation running{*self};
    co_await refuse_if_cancelled();
    if (statements.empty()) co_return pipeline_result{};

    using verdict = pipeline_reader::verdict;
    const bool alone = PQtransactionStatus(self->handle_->get()) == PQTRANS_IDLE;
    running.started(self->stake_of(statements));
    pipeline_reader reader = co_await self->round_trip(statements);
    // Nothing of it was done, and nothing was done before it: it can be sent again as it is. Each
    // time one of its statements is prepared anew.
    for (std::size_t again = 0; again < statements.size(); ++again) {
        if (!alone || !self->stale_statement_ || !self->usable()) break;
        if (reader.judge() != verdict::refused) break;
        reader = co_await self->round_trip(statements);
    }
    running.finished();
    if (reader.judge() == verdict::success) co_return reader.take_result();
    const error failure = reader.failure();
    if (unfit(failure.sqlstate())) self->end(condition::lost);
    throw failure;
}

/// Sends a pipeline and reads its answers. A transaction that a refusal left open is rolled back.
asio::awaitable<pipeline_reader> connection::session::round_trip(pipeline& statements)
{
    pipeline_reader reader{statements.commit_index()};
    stale_statement_ = false;
    auto commands = send(statements, reader);
    try {
        if (!reader.is_lost()) {
            co_await flush();
            co_await receive(std::move(commands), reader, statements.commit_index());
        }
    } catch (const silence& e) {
        reader.lost(e.diagnostics(), errc::response_timed_out);
    } catch (const boost::system::system_error& interrupted) {
        // Cancelled, or closed by the owner. What was confirmed stays confirmed.
        if (!reader.committed()) throw;
        diagnostics words;
        words.message = std::string{"interrupted after the commit: "} + interrupted.what();
        reader.lost(std::move(words));
    }
    const auto verdict = reader.judge();
    if (reader.is_lost() || verdict == pipeline_reader::verdict::commit_unknown)
        end(condition::lost);
    if (verdict != pipeline_reader::verdict::success && usable()) co_await roll_back();
    co_return reader;
}

bool connection::session::unfit(std::string_view sqlstate) noexcept
{
    return sqlstate == "25006";
}

/// Forgets a prepared statement that was refused only because of how it was prepared.
void connection::session::note_stale(const PGresult* refusal, const std::string& key)
{
    if (is_stale(refusal) && prepared_.erase(key) > 0) stale_statement_ = true;
}

asio::awaitable<void> connection::session::refuse_if_cancelled()
{
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error{asio::error::operation_aborted};
}

stake connection::session::stake_of(const pipeline& statements) const noexcept
{
    const auto commits = [](const pipeline::item& i) {
        return may_end_in_commit(i.statement.sql());
    };
    if (std::ranges::any_of(statements.items(), commits)) return stake::commit;
    if (PQtransactionStatus(handle_->get()) != PQTRANS_IDLE || statements.begins())
        return stake::open_transaction;
    return stake::implicit_transaction;
}

asio::awaitable<result> connection::session::run_one(pointer self, pipeline one)
{
    const pipeline_result answered = co_await run(std::move(self), std::move(one));
    co_return answered[0];
}

std::vector<connection::session::command> connection::session::send(
    const pipeline& statements, pipeline_reader& reader)
{
    std::vector<command> commands;
    const auto& items = statements.items();
    bool sending = true;
    for (std::size_t i = 0; i < items.size() && sending; ++i) {
        if (i == statements.commit_index()) reader.commit_sent();
        sending = send_item(items[i], i, commands);
    }
    if (sending) sending = send_sync();
    if (!sending) {
        consume(); // libpq refuses to send once it knows that the connection is gone; the server
                   // may have said why
        reader.lost(last_words());
    }
    return commands;
}

bool connection::session::send_item(
    const pipeline::item& item, std::size_t index, std::vector<command>& commands)
{
    PGconn* pg = handle_->get();
    const std::string sql{item.statement.sql()};
    const libpq_arguments a{item.parameters};
    command execute{command::kind::execute, index, {}, {}};
    if (options_.prepared_statements()) {
        execute.key = prepared_key(item);
        if (const auto known = prepared_.find(execute.key); known != prepared_.end())
            execute.name = known->second;
        else if (const auto sent = std::ranges::find(commands, execute.key, &command::key);
                 sent != commands.end())
            execute.name = sent->name;
        else if (prepared_.size() + commands.size() < most_prepared)
            execute.name =
                std::string{item.statement.name()} + "_" + std::to_string(++prepared_serial_);
        else
            execute.key.clear();
        const bool is_new =
            !execute.key.empty() && !prepared_.contains(execute.key) &&
            std::ranges::find(commands, execute.key, &command::key) == commands.end();
        if (is_new) {
            if (!PQsendPrepare(pg, execute.name.c_str(), sql.c_str(), a.count(), a.types.data()))
                return false;
            commands.push_back({command::kind::prepare, index, execute.key, execute.name});
        }
    }
    const int sent = execute.key.empty()
                         ? PQsendQueryParams(
                               pg, sql.c_str(), a.count(), a.types.data(), a.values.data(),
                               a.lengths.data(), a.formats.data(), binary)
                         : PQsendQueryPrepared(
                               pg, execute.name.c_str(), a.count(), a.values.data(),
                               a.lengths.data(), a.formats.data(), binary);
    if (!sent) return false;
    commands.push_back(std::move(execute));
    return true;
}

asio::awaitable<void> connection::session::receive(
    std::vector<command> commands, pipeline_reader& reader, std::optional<std::size_t> commit)
{
    for (const command& c : commands) {
        const bool committing = c.what == command::kind::execute && c.item == commit;
        const std::size_t notices_before = handle_->notice_count();
        result_pointer answer = co_await next_result();
        if (committing) {
            const auto& notices = handle_->notices();
            const auto fresh = std::min(handle_->notice_count() - notices_before, notices.size());
            for (auto i = notices.size() - fresh; i < notices.size(); ++i)
                if (means_unknown_commit(notices[i])) reader.commit_warned(notices[i]);
        }
        read_answer(c, std::move(answer), reader);
        if (reader.is_lost()) co_return;
        const result_pointer end_of_answer = co_await next_result();
        if (end_of_answer) {
            reader.lost(read_diagnostics(end_of_answer.get()));
            co_return;
        }
    }
    const result_pointer sync = co_await next_result();
    if (!sync || PQresultStatus(sync.get()) != PGRES_PIPELINE_SYNC) reader.lost(last_words());
}

void connection::session::read_answer(
    const command& c, result_pointer answer, pipeline_reader& reader)
{
    if (!answer) {
        reader.lost(last_words());
        return;
    }
    const std::string tag = PQcmdStatus(answer.get());
    switch (PQresultStatus(answer.get())) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        if (c.what == command::kind::prepare)
            prepared_.emplace(c.key, c.name);
        else
            reader.succeeded(
                c.item,
                result{std::shared_ptr<const pg_result>{answer.release(), result_deleter{}}}, tag);
        return;
    case PGRES_PIPELINE_ABORTED: return; // skipped after an earlier refusal
    case PGRES_FATAL_ERROR: {
        diagnostics words = read_diagnostics(answer.get());
        // libpq's own errors have no SQLSTATE; all of them mean that the connection is gone.
        if (ends_session(words) || words.sqlstate.empty()) {
            reader.lost(std::move(words));
            return;
        }
        note_stale(answer.get(), c.key);
        reader.refused(c.item, std::move(words));
        return;
    }
    default: {
        diagnostics words;
        words.message = std::string{"a statement was answered with "} +
                        PQresStatus(PQresultStatus(answer.get())) +
                        ", as COPY is, which is not supported";
        reader.refused(c.item, words);
        reader.lost(std::move(words));
    }
    }
}

asio::awaitable<void> connection::session::roll_back()
{
    if (PQtransactionStatus(handle_->get()) == PQTRANS_IDLE) co_return;
    bool done = false;
    try {
        const diagnostics words = co_await run_command("rollback");
        done = words.message.empty() && PQtransactionStatus(handle_->get()) == PQTRANS_IDLE;
    } catch (const error&) { // the refusal that made it necessary is what is reported
        if (!handle_) throw;
    }
    if (!done) end(condition::lost);
}

/// Runs one command without arguments. Returns why the server refused it; nothing: it did not.
/// Throws when the connection is lost.
asio::awaitable<diagnostics> connection::session::run_command(const char* sql)
{
    PGconn* pg = handle_->get();
    diagnostics words;
    bool answered =
        PQsendQueryParams(pg, sql, 0, nullptr, nullptr, nullptr, nullptr, binary) == 1 &&
        send_sync();
    if (answered) {
        co_await flush();
        const result_pointer answer = co_await next_result();
        if (answer && PQresultStatus(answer.get()) == PGRES_FATAL_ERROR)
            words = read_diagnostics(answer.get());
        const result_pointer end_of_answer = co_await next_result();
        const result_pointer sync = co_await next_result();
        answered =
            answer && !end_of_answer && sync && PQresultStatus(sync.get()) == PGRES_PIPELINE_SYNC;
    }
    if (!answered || ends_session(words))
        throw lost_error(errc::connection_lost, words.message.empty() ? last_words() : words);
    co_return words;
}

} // namespace perdure::pg
