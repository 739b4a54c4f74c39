// Scripts: several statements in one text, without arguments, whose rows nobody wants.
#include <pg/session.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace perdure::pg {

namespace asio = boost::asio;

namespace {

/// The line of a text in which its n-th character stands, both counted from 1.
std::ptrdiff_t line_of(std::string_view text, std::int32_t character)
{
    std::ptrdiff_t line = 1;
    for (const char c : text) {
        const bool continues = (static_cast<unsigned char>(c) & 0xc0) == 0x80; // UTF-8
        if (!continues && --character <= 0) break;
        if (c == '\n') ++line;
    }
    return line;
}

} // namespace

asio::awaitable<void> connection::session::execute_script(pointer self, std::string sql)
{
    operation running{*self};
    co_await refuse_if_cancelled();
    running.started(stake::commit); // a script may hold one
    diagnostics words;
    try {
        words = co_await self->run_script(sql);
    } catch (const silence&) {
        self->end(condition::lost);
        throw;
    }
    bool gone = self->socket_gone() || ends_session(words);
    if (!gone && PQenterPipelineMode(self->handle_->get()) != 1) gone = true;
    if (gone && words.message.empty()) words = self->last_words();
    if (gone)
        self->end(condition::lost);
    else if (!words.message.empty())
        co_await self->roll_back();
    running.finished();
    if (gone) throw lost_error(errc::connection_lost, words);
    if (words.message.empty()) co_return;
    std::string what = describe(words);
    if (words.position > 0)
        what.insert(0, "line " + std::to_string(line_of(sql, words.position)) + ": ");
    throw error{errc::server_error, std::move(what), words};
}

asio::awaitable<diagnostics> connection::session::run_script(std::string sql)
{
    PGconn* pg = handle_->get();
    diagnostics words;
    if (PQexitPipelineMode(pg) != 1 || PQsendQuery(pg, sql.c_str()) != 1) {
        consume();
        words = last_words();
        end(condition::lost);
        throw lost_error(errc::connection_lost, words);
    }
    co_await flush();
    for (;;) {
        const result_pointer answer = co_await next_result();
        if (!answer) break;
        if (is_copy(answer)) {
            end(condition::lost);
            throw error{errc::bad_value, "COPY from or to the client is not supported in a script"};
        }
        if (PQresultStatus(answer.get()) == PGRES_FATAL_ERROR && words.message.empty())
            words = read_diagnostics(answer.get());
    }
    co_return words;
}

} // namespace perdure::pg
