// A network that misbehaves on command: stands between a client and the server, and cuts the line
// at the instant a test is about. It understands just enough of the protocol to see a COMMIT and
// its answer.
#pragma once

#include <libpq-fe.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <boost/endian/conversion.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace perdure::test {

/// Where the next COMMIT that passes meets its fate. The fault happens once; then the line is sound
/// again.
enum class fault
{
    none,
    before_commit,        ///< COMMIT does not reach the server: it is rolled back there.
    before_commit_answer, ///< COMMIT is executed; its answer does not come back.
    silence_before_commit ///< COMMIT does not reach the server, which ends the session when its
                          ///< keepalives are not answered: here after two seconds. The client is
                          ///< told nothing.
};

/// A proxy in front of one server, on a thread of its own, so that it works beside whatever the
/// test's thread does. It speaks plain TCP; clients must not ask for TLS, which `dsn` sees to.
class proxy
{
public:
    /// Stands in front of the server that `dsn` (keywords or a URI) names.
    explicit proxy(const std::string& dsn) : keywords_{parse(dsn)}
    {
        boost::asio::co_spawn(io_, accept(), [](std::exception_ptr) {});
        thread_ = std::thread{[this] { io_.run(); }};
    }
    proxy(const proxy&) = delete;
    proxy& operator=(const proxy&) = delete;
    ~proxy()
    {
        io_.stop();
        thread_.join();
    }

    /// How to connect through it.
    std::string dsn() const
    {
        auto through = keywords_;
        through["host"] = "127.0.0.1";
        through["port"] = std::to_string(port_);
        through["sslmode"] = "disable";
        through["gssencmode"] = "disable";
        through.erase("hostaddr");
        std::string text;
        for (const auto& [keyword, value] : through) {
            text += keyword + "='";
            for (const char c : value) {
                if (c == '\'' || c == '\\') text += '\\';
                text += c;
            }
            text += "' ";
        }
        return text;
    }

    /// Arms a fault for the next COMMIT of any connection.
    void arm(fault f) { armed_ = f; }

    /// How many armed faults have happened.
    std::size_t faults() const { return faults_; }

    /// True once one has.
    bool fired() const { return faults_ > 0; }

    /// Cuts all connections now; new ones are accepted.
    void cut()
    {
        on_thread([this] {
            for (const auto& l : lines_) l->close();
        });
    }

    /// Stops forwarding, in both directions, without closing anything: a network that drops
    /// everything.
    void freeze() { frozen_ = true; }

    /// Forwards again.
    void thaw() { frozen_ = false; }

    /// From now on nothing is forwarded on the connections there are, which stay open; new ones are
    /// sound: a firewall that forgot them.
    void silence()
    {
        on_thread([this] {
            for (const auto& l : lines_) l->silent = true;
        });
    }

    /// The same, but the server's ends are closed: to the clients it vanished without a word.
    void vanish()
    {
        on_thread([this] {
            for (const auto& l : lines_) {
                l->silent = true;
                l->close_server();
            }
        });
    }

    /// Cuts all connections and refuses new ones.
    void refuse()
    {
        on_thread([this] {
            acceptor_.close();
            for (const auto& l : lines_) l->close();
        });
    }

    /// Takes connections again, on the same port.
    void accept_again()
    {
        on_thread([this] {
            acceptor_ = tcp::acceptor{io_, {boost::asio::ip::address_v4::loopback(), port_}};
            boost::asio::co_spawn(io_, accept(), [](std::exception_ptr) {});
        });
    }

    /// From now on notifications do not pass, and everything else does.
    void mute() { mute_ = true; }

    /// How many notifications that listeners sent to themselves have passed.
    std::size_t proofs() const { return proofs_; }

    /// From now on what the server says comes a byte at a time.
    void drip() { dripping_ = true; }

    /// Connections accepted so far.
    std::size_t accepted() const { return accepted_; }

private:
    using tcp = boost::asio::ip::tcp;
    using stream = boost::asio::generic::stream_protocol;

    struct line
    {
        explicit line(tcp::socket c) : client{std::move(c)}, server{client.get_executor()} {}

        void close()
        {
            boost::system::error_code ignored;
            client.close(ignored);
            close_server();
        }

        void close_server()
        {
            boost::system::error_code ignored;
            server.close(ignored);
        }

        /// One direction ended: the other does too, unless the client is not to notice.
        void ended()
        {
            if (!silent) close();
        }

        tcp::socket client;
        stream::socket server;
        bool silent = false; ///< Forwards nothing any more, once the server has whole pipelines:
                             ///< half of one would keep its locks.
        bool within_pipeline = false;
        std::map<std::string, bool> commits; ///< Prepared statements: is it a commit?
    };

    static std::map<std::string, std::string> parse(const std::string& dsn)
    {
        std::map<std::string, std::string> keywords;
        PQconninfoOption* options = PQconninfoParse(dsn.c_str(), nullptr);
        if (!options) throw std::runtime_error{"the proxy was given a malformed connection string"};
        for (const auto* o = options; o->keyword; ++o)
            if (o->val) keywords[o->keyword] = o->val;
        PQconninfoFree(options);
        return keywords;
    }

    template <class F>
    void on_thread(F f)
    {
        boost::asio::post(io_, boost::asio::use_future(std::move(f))).get();
    }

    std::string keyword(const std::string& name, const std::string& otherwise) const
    {
        const auto found = keywords_.find(name);
        return found == keywords_.end() ? otherwise : found->second;
    }

    boost::asio::awaitable<void> accept()
    {
        for (;;) {
            tcp::socket client = co_await acceptor_.async_accept(boost::asio::use_awaitable);
            client.set_option(tcp::no_delay{true});
            ++accepted_;
            auto l = std::make_shared<line>(std::move(client));
            lines_.push_back(l);
            boost::asio::co_spawn(io_, serve(l), [l](std::exception_ptr) { l->ended(); });
        }
    }

    boost::asio::awaitable<void> serve(std::shared_ptr<line> l)
    {
        const std::string host = keyword("host", "/var/run/postgresql");
        const std::string port = keyword("port", "5432");
        if (host.starts_with('/')) {
            const boost::asio::local::stream_protocol::endpoint path{host + "/.s.PGSQL." + port};
            co_await l->server.async_connect(path, boost::asio::use_awaitable);
        } else {
            tcp::resolver resolver{io_};
            const auto found = resolver.resolve(host, port);
            const tcp::endpoint first = found.begin()->endpoint();
            co_await l->server.async_connect(first, boost::asio::use_awaitable);
        }
        boost::asio::co_spawn(io_, from_client(l), [l](std::exception_ptr) { l->ended(); });
        co_await from_server(l);
    }

    /// Reads a message: its type (none for the first) and its length, then the rest. Empty when the
    /// line ended.
    template <class Socket>
    boost::asio::awaitable<std::vector<char>> read_message(Socket& from, std::size_t type_bytes)
    {
        std::vector<char> message(type_bytes + 4);
        co_await boost::asio::async_read(
            from, boost::asio::buffer(message), boost::asio::use_awaitable);
        const auto* length_at = reinterpret_cast<const unsigned char*>(message.data() + type_bytes);
        const std::uint32_t length = boost::endian::load_big_u32(length_at);
        if (length < 4) throw std::runtime_error{"not a message of PostgreSQL"};
        const std::size_t head = message.size();
        message.resize(type_bytes + length);
        auto rest = boost::asio::buffer(message) + head;
        co_await boost::asio::async_read(from, rest, boost::asio::use_awaitable);
        co_return message;
    }

    boost::asio::awaitable<void> pause(std::chrono::milliseconds time)
    {
        boost::asio::steady_timer timer{io_, time};
        co_await timer.async_wait(boost::asio::use_awaitable);
    }

    boost::asio::awaitable<void> from_client(std::shared_ptr<line> l)
    {
        std::vector<char> message = co_await read_message(l->client, 0); // startup
        for (;;) {
            while (frozen_ || (l->silent && !l->within_pipeline))
                co_await pause(std::chrono::milliseconds{1});
            co_await boost::asio::async_write(
                l->server, boost::asio::buffer(message), boost::asio::use_awaitable);
            l->within_pipeline = message[0] != 'S' && message[0] != 'Q';
            message = co_await read_message(l->client, 1);
            if (is_commit(*l, message) && fire(fault::before_commit)) {
                l->close();
                co_return;
            }
            if (is_commit(*l, message) && fire(fault::silence_before_commit)) {
                l->silent = true;
                co_await pause(std::chrono::seconds{2});
                l->close_server();
                co_return;
            }
        }
    }

    boost::asio::awaitable<void> from_server(std::shared_ptr<line> l)
    {
        for (;;) {
            const std::vector<char> message = co_await read_message(l->server, 1);
            const std::string_view body{message.data() + 5, message.size() - 5};
            const bool committed =
                message[0] == 'C' && body == std::string_view{"COMMIT\0", 7}; // CommandComplete
            if (committed && fire(fault::before_commit_answer)) {
                l->close();
                co_return;
            }
            while (frozen_ || l->silent) co_await pause(std::chrono::milliseconds{1});
            const bool notification = message[0] == 'A';
            if (notification && mute_) continue;
            if (notification && body.find("perdure_proof_") != body.npos) ++proofs_;
            const std::size_t piece = dripping_ ? 1 : message.size();
            for (std::size_t sent = 0; sent < message.size(); sent += piece) {
                const auto next = boost::asio::buffer(message.data() + sent, piece);
                co_await boost::asio::async_write(l->client, next, boost::asio::use_awaitable);
                if (dripping_) co_await boost::asio::post(io_, boost::asio::use_awaitable);
            }
        }
    }

    /// True for a message that makes the server execute COMMIT. Remembers which prepared statements
    /// do.
    static bool is_commit(line& l, const std::vector<char>& message)
    {
        if (message[0] != 'Q' && message[0] != 'P' && message[0] != 'B') return false;
        const char* const body = message.data() + 5;
        const std::string first = body; // all three begin with a zero-terminated text
        const char* const second = body + first.size() + 1;
        switch (message[0]) {
        case 'Q': return first.starts_with("commit");
        case 'P': l.commits[first] = std::string_view{second}.starts_with("commit"); return false;
        case 'B': return l.commits[second];
        default: return false;
        }
    }

    bool fire(fault f)
    {
        fault expected = f;
        if (!armed_.compare_exchange_strong(expected, fault::none)) return false;
        ++faults_;
        return true;
    }

    std::map<std::string, std::string> keywords_;
    std::atomic<fault> armed_ = fault::none;
    std::atomic<std::size_t> faults_ = 0;
    std::atomic<bool> frozen_ = false;
    std::atomic<bool> dripping_ = false;
    std::atomic<bool> mute_ = false;
    std::atomic<std::size_t> proofs_ = 0;
    std::atomic<std::size_t> accepted_ = 0;
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> refusing_{
        io_.get_executor()}; ///< There is a thread even while there is nothing to wait for.
    tcp::acceptor acceptor_{io_, tcp::endpoint{boost::asio::ip::address_v4::loopback(), 0}};
    std::uint16_t port_ = acceptor_.local_endpoint().port();
    std::list<std::shared_ptr<line>> lines_;
    std::thread thread_;
};

} // namespace perdure::test
