#include <pg/handle.hpp>

#include <openssl/ssl.h>

#include <charconv>
#include <string_view>

namespace perdure::pg {

namespace {

constexpr std::size_t most_notices = 100;

std::string field(const PGresult* result, int code)
{
    const char* text = PQresultErrorField(result, code);
    return text ? text : "";
}

} // namespace

diagnostics read_diagnostics(const PGresult* result)
{
    diagnostics d;
    d.severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    d.sqlstate = field(result, PG_DIAG_SQLSTATE);
    d.message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    d.detail = field(result, PG_DIAG_MESSAGE_DETAIL);
    d.hint = field(result, PG_DIAG_MESSAGE_HINT);
    d.where = field(result, PG_DIAG_CONTEXT);
    const std::string position = field(result, PG_DIAG_STATEMENT_POSITION);
    std::from_chars(position.data(), position.data() + position.size(), d.position);
    if (d.message.empty())
        d.message = one_line(PQresultErrorMessage(result)); // libpq's own errors have no fields
    return d;
}

bool is_copy(const result_pointer& r) noexcept
{
    const ExecStatusType status = PQresultStatus(r.get());
    return status == PGRES_COPY_OUT || status == PGRES_COPY_IN || status == PGRES_COPY_BOTH;
}

std::string one_line(const char* text)
{
    std::string_view rest = text ? text : "";
    while (rest.ends_with('\n')) rest.remove_suffix(1);
    std::string line;
    for (const char c : rest) {
        if (c == '\t') continue;
        line += c == '\n' ? ' ' : c;
    }
    return line;
}

bool ends_session(const diagnostics& d) noexcept
{
    return d.severity == "FATAL" || d.severity == "PANIC";
}

handle::handle(PGconn* connection) : connection_{connection}
{
    PQsetNoticeReceiver(connection_, &handle::receive_notice, this);
}

handle::~handle()
{
    PQfinish(connection_); // does not wait: libpq's socket is non-blocking from the start
}

bool handle::has_hidden_bytes() const noexcept
{
    auto* tls = static_cast<SSL*>(PQsslStruct(connection_, "OpenSSL"));
    return tls && SSL_pending(tls) > 0;
}

void handle::receive_notice(void* self, const PGresult* notice)
{
    // Called from inside libpq: note it down, touch nothing else.
    auto& h = *static_cast<handle*>(self);
    if (h.notices_.size() == most_notices) h.notices_.pop_front();
    h.notices_.push_back(read_diagnostics(notice));
    ++h.notice_count_;
}

} // namespace perdure::pg
