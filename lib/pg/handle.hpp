// Owns what libpq gives out, and translates its fields.
#pragma once

#include <perdure/pg/error.hpp>

#include <libpq-fe.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

namespace perdure::pg {

struct result_deleter
{
    void operator()(PGresult* r) const noexcept { PQclear(r); }
};
using result_pointer = std::unique_ptr<PGresult, result_deleter>;

/// What the server said in a result, field by field.
diagnostics read_diagnostics(const PGresult* result);

/// True for a result that stands for the data of COPY: it comes again and again until that is taken,
/// or given.
bool is_copy(const result_pointer& r) noexcept;

/// Text of libpq without the line breaks it ends with; inner ones become spaces.
std::string one_line(const char* text);

/// True for the severities after which the server ends the session.
bool ends_session(const diagnostics& d) noexcept;

/// A libpq connection and the notices it received. Used by one thread at a time: first the one that
/// makes blocking calls, then the executor's.
class handle
{
public:
    /// Takes a connection that PQconnectStart made, not null.
    explicit handle(PGconn* connection);
    handle(const handle&) = delete;
    handle& operator=(const handle&) = delete;
    ~handle();

    PGconn* get() const noexcept { return connection_; }

    /// Notices in the order they came; the oldest are dropped when there are too many.
    std::deque<diagnostics>& notices() noexcept { return notices_; }

    /// How many notices ever came.
    std::size_t notice_count() const noexcept { return notice_count_; }

    /// True while TLS holds bytes that were read from the socket and not by libpq: the socket does
    /// not announce them. Not every version of libpq reads on until there are none.
    bool has_hidden_bytes() const noexcept;

private:
    static void receive_notice(void* self, const PGresult* notice);

    PGconn* connection_;
    std::deque<diagnostics> notices_;
    std::size_t notice_count_ = 0;
};

} // namespace perdure::pg
