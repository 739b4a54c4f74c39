// Connecting: libpq's calls run on a blocking executor, the waits between them on the caller's.
#include <pg/blocking.hpp>
#include <pg/conninfo.hpp>
#include <pg/session.hpp>

#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace perdure::pg {

namespace asio = boost::asio;
using boost::system::error_code;
using clock = std::chrono::steady_clock;
using descriptor = asio::posix::stream_descriptor;

namespace {

constexpr int oldest_server = 150000;

/// What OpenSSL found out about the certificate of a TLS session that ends in this thread while this
/// lives. libpq says only that it was refused, and drops the session at once; so OpenSSL is asked to
/// say when one ends.
class certificate_verdict
{
public:
    certificate_verdict()
    {
        static const int ending = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, &note);
        static_cast<void>(ending);
        last = X509_V_OK;
    }

    /// Empty: nothing is wrong, or none ended.
    std::string text() const
    {
        return last == X509_V_OK ? "" : X509_verify_cert_error_string(last);
    }

private:
    static void note(void* session, void*, CRYPTO_EX_DATA*, int, long, void*)
    {
        last = SSL_get_verify_result(static_cast<SSL*>(session));
    }

    inline static thread_local long last = X509_V_OK;
};

/// One attempt to connect to one host. Shared with the blocking thread: whoever lets go last closes
/// it, so that giving up never waits for a call of libpq that is under way.
struct attempt
{
    conninfo info;
    std::unique_ptr<handle> pg;
    PostgresPollingStatusType next = PGRES_POLLING_WRITING; // as libpq's manual says

    void start()
    {
        std::vector<const char*> keywords, values;
        for (const auto& [keyword, value] : info) {
            keywords.push_back(keyword.c_str());
            values.push_back(value.c_str());
        }
        keywords.push_back(nullptr);
        values.push_back(nullptr);
        PGconn* made = PQconnectStartParams(keywords.data(), values.data(), 1);
        if (!made) throw std::bad_alloc{};
        pg = std::make_unique<handle>(made);
        PQsetErrorVerbosity(made, PQERRORS_VERBOSE); // the only way to a SQLSTATE while connecting
    }

    void poll()
    {
        const certificate_verdict verdict;
        next = PQconnectPoll(pg->get());
        certificate_fault = verdict.text();
    }

    std::string certificate_fault; ///< What is wrong with the server's; empty if nothing is.
};

/// Why an attempt failed, with the SQLSTATE taken out of the verbose text where the server gave
/// one.
diagnostics connect_words(const attempt& failed)
{
    PGconn* const pg = failed.pg->get();
    static const std::regex location{"\n[^\n]*, [a-z_]+\\.c:[0-9]+\n"};
    static const std::regex state{":  ([0-9A-Z]{5}): "};
    const std::string text = std::regex_replace(PQerrorMessage(pg), location, "\n");
    diagnostics words;
    for (std::sregex_iterator i{text.begin(), text.end(), state}, end; i != end; ++i)
        words.sqlstate = (*i)[1];
    words.message = one_line(std::regex_replace(text, state, ": ").c_str());
    const std::string& fault = failed.certificate_fault;
    if (words.message.find("SSL error: ") != std::string::npos && !fault.empty())
        words.message += ": " + fault;
    return words;
}

/// A descriptor of our own for libpq's socket. libpq closes and reopens its descriptor while it
/// connects and mostly gets the same number again, which Asio could not notice.
descriptor duplicate_socket(const asio::any_io_executor& executor, PGconn* pg)
{
    const int own = fcntl(PQsocket(pg), F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        throw error{
            errc::connect_failed,
            "the socket's descriptor cannot be duplicated: " +
                error_code{errno, boost::system::system_category()}.message()};
    return descriptor{executor, own};
}

/// Where an attempt leads to, as libpq's own messages put it.
std::string server_at(PGconn* pg)
{
    const std::string host = PQhost(pg);
    return host.empty() ? "the server" : "the server at \"" + host + "\", port " + PQport(pg);
}

/// The time that connecting may take, in words that are the same each time: whoever tries again and
/// again reports a cause only when it changes.
std::string words_for(clock::duration limit, std::size_t attempts)
{
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
    return (attempts > 1 ? "its share of " : "") + std::to_string(time) + " ms";
}

error timed_out(const std::string& limit, const std::string& server)
{
    return {errc::connect_timed_out, server + " did not answer within " + limit + " of connecting"};
}

struct connected
{
    connected(std::unique_ptr<handle> h, descriptor s) : pg{std::move(h)}, socket{std::move(s)} {}

    std::unique_ptr<handle> pg;
    descriptor socket;
};

/// One attempt. `limit`: what the deadline comes from, for whoever reads that it has passed. Throws
/// errc::connect_failed or errc::connect_timed_out.
asio::awaitable<connected> connect_once(
    asio::any_io_executor blocking, conninfo info, clock::time_point deadline, std::string limit)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto a = std::make_shared<attempt>();
    a->info = std::move(info);
    asio::steady_timer timer{executor, deadline};

    std::function<void()> start = [a] { a->start(); };
    const bool started = co_await run_blocking(blocking, std::move(start), deadline);
    if (!started) throw timed_out(limit, "the server");
    const std::string server = server_at(a->pg->get());
    if (PQstatus(a->pg->get()) == CONNECTION_BAD) a->next = PGRES_POLLING_FAILED;
    while (a->next != PGRES_POLLING_OK) {
        if (a->next == PGRES_POLLING_FAILED) {
            const diagnostics words = connect_words(*a);
            throw error{errc::connect_failed, describe(words), words};
        }
        {
            descriptor socket = duplicate_socket(executor, a->pg->get());
            const auto direction =
                a->next == PGRES_POLLING_READING ? descriptor::wait_read : descriptor::wait_write;
            auto both = asio::experimental::make_parallel_group(
                socket.async_wait(direction, asio::deferred), timer.async_wait(asio::deferred));
            const auto outcome =
                co_await both.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
            const auto& [order, ready, expired] = outcome;
            const error_code ended = order[0] == 0 ? ready : expired;
            if (ended) throw boost::system::system_error{ended};
            if (order[0] == 1) throw timed_out(limit, server);
        }
        std::function<void()> poll = [a] { a->poll(); };
        const bool polled = co_await run_blocking(blocking, std::move(poll), deadline);
        if (!polled) throw timed_out(limit, server);
    }
    PQsetErrorVerbosity(a->pg->get(), PQERRORS_DEFAULT);
    descriptor socket = duplicate_socket(executor, a->pg->get());
    co_return connected{std::move(a->pg), std::move(socket)};
}

void check_server(PGconn* pg)
{
    const int version = PQserverVersion(pg);
    if (version >= oldest_server) return;
    const char* text = PQparameterStatus(pg, "server_version");
    throw error{
        errc::unsupported_server, "the server is PostgreSQL " +
                                      std::string{text ? text : std::to_string(version)} +
                                      "; version 15 or newer is needed"};
}

void prepare_session(PGconn* pg)
{
    if (PQsetnonblocking(pg, 1) == 0 && PQenterPipelineMode(pg) == 1) return;
    throw error{errc::connect_failed, one_line(PQerrorMessage(pg))};
}

/// What several failed attempts come to: a time-out if all of them timed out.
error combine(const std::vector<error>& failures)
{
    if (failures.size() == 1) return failures.front();
    const bool all_timed_out = std::ranges::all_of(failures, [](const error& e) {
        return e.code() == make_error_code(errc::connect_timed_out);
    });
    std::string text;
    for (const error& e : failures) text.append(text.empty() ? "" : "; ").append(e.what());
    return {
        all_timed_out ? errc::connect_timed_out : errc::connect_failed, std::move(text),
        failures.back().diagnostics()};
}

} // namespace

asio::awaitable<connection> connection::connect(connection_options options)
{
    std::vector<conninfo> attempts = make_conninfo(options);
    std::shared_ptr<session> made =
        co_await session::connect(std::move(options), std::move(attempts));
    co_return connection{std::move(made)};
}

asio::awaitable<connection::session::pointer> connection::session::connect(
    connection_options options, std::vector<conninfo> attempts)
{
    const auto executor = co_await asio::this_coro::executor;
    asio::any_io_executor blocking = options.blocking_executor();
    if (!blocking) blocking = blocking_executor_of(executor);
    const auto deadline = clock::now() + options.connect_timeout();
    const std::string limit = words_for(options.connect_timeout(), attempts.size());
    std::vector<error> failures;
    for (std::size_t i = 0; i < attempts.size(); ++i) {
        const auto left = deadline - clock::now();
        const auto share = left / static_cast<clock::rep>(attempts.size() - i);
        try {
            connected c = co_await connect_once(
                blocking, std::move(attempts[i]), clock::now() + share, limit);
            check_server(c.pg->get());
            prepare_session(c.pg->get());
            co_return std::make_shared<session>(
                std::move(c.pg), std::move(c.socket), std::move(options));
        } catch (const error& e) {
            if (e.code() == make_error_code(errc::unsupported_server)) throw;
            failures.push_back(e);
        }
    }
    throw combine(failures);
}

} // namespace perdure::pg
