// A server without a thread: it does one small thing each time it is asked to, so that a test
// decides what happens between any two bytes.
#pragma once

#include "fake_server.hpp"
#include "temporary_directory.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perdure::test {

/// Speaks as much of the protocol as `pg/` uses. It knows transactions, LISTEN and NOTIFY; a
/// statement that begins with `fail` fails; `answer` tells what others return, else those that
/// begin with `select` or `next` return one row of one text, the statement itself, and `many` ten
/// of them; one that begins with `wait` is answered when pg_cancel_backend is asked to cancel it. A
/// Unix socket carries it: what one side has sent the other has.
class stepped_server
{
public:
    /// A column's type and its value as binary.
    struct value
    {
        std::uint32_t type = 0;
        std::string bytes;
    };

    stepped_server()
    {
        const std::string file = directory_.path() + "/.s.PGSQL.5432";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        file.copy(address.sun_path, sizeof address.sun_path - 1);
        listening_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listening_, 16) != 0)
            throw std::runtime_error{"the socket cannot be bound"};
    }
    stepped_server(const stepped_server&) = delete;
    stepped_server& operator=(const stepped_server&) = delete;
    ~stepped_server()
    {
        for (const session& s : sessions_) ::close(s.socket);
        ::close(listening_);
    }

    std::string dsn() const { return "host=" + directory_.path() + " user=x dbname=x"; }

    /// Statements that contain `part` return one row of these values.
    void answer(std::string part, std::vector<value> row)
    {
        answers_.emplace_back(std::move(part), std::move(row));
    }

    /// At most this many bytes are sent in a step.
    void send_at_most(std::size_t bytes) { at_most_ = bytes; }

    /// Takes a client, or reads what one has sent, or sends a few bytes of an answer. False: there
    /// is nothing to do.
    bool step()
    {
        const int client = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client >= 0) {
            sessions_.emplace_back().socket = client;
            sessions_.back().pid = ++last_pid_;
            return true;
        }
        for (auto s = sessions_.begin(); s != sessions_.end(); ++s) {
            if (receive(*s)) return true;
            if (!s->over) continue;
            ::close(s->socket);
            sessions_.erase(s);
            return true;
        }
        for (session& s : sessions_) {
            if (s.out.empty()) continue;
            const std::size_t count = std::min(at_most_, s.out.size());
            if (::send(s.socket, s.out.data(), count, MSG_NOSIGNAL) < 0) s.over = true;
            s.out.erase(0, count);
            return true;
        }
        return false;
    }

    /// Notifies whoever listens to a channel.
    void notify(std::string_view channel, std::string_view payload)
    {
        for (session& s : sessions_)
            if (s.channels.contains(std::string{channel})) s.out += notification(channel, payload);
    }

    /// Clients that have not hung up.
    std::size_t sessions() const noexcept { return sessions_.size(); }

    /// Clients whose statement waits to be cancelled.
    std::size_t waiting() const noexcept
    {
        return static_cast<std::size_t>(std::ranges::count(sessions_, true, &session::waiting));
    }

    /// Statements that began with `next` and met an open transaction.
    std::size_t met_transaction() const noexcept { return met_transaction_; }

    /// Transactions that were committed.
    std::size_t commits() const noexcept { return commits_; }

private:
    struct session
    {
        int socket = -1;
        std::int32_t pid = 0;
        bool started = false;
        bool over = false;
        bool skipping = false; ///< After an error, until Sync.
        bool waiting = false;  ///< To be cancelled; does nothing else until then.
        char transaction = 'I';
        std::string in;
        std::string out;
        std::map<std::string, std::string> prepared;
        std::string portal; ///< The statement that is bound.
        std::vector<std::string> arguments;
        std::set<std::string> channels;
        std::string notifications; ///< Delivered when the session is idle.
    };

    static std::string number(std::uint32_t value)
    {
        std::string text(4, '\0');
        boost::endian::store_big_u32(reinterpret_cast<unsigned char*>(text.data()), value);
        return text;
    }

    static std::string small(std::uint16_t value)
    {
        std::string text(2, '\0');
        boost::endian::store_big_u16(reinterpret_cast<unsigned char*>(text.data()), value);
        return text;
    }

    static std::string text(std::string_view value) { return std::string{value} + '\0'; }

    static std::uint32_t read_number(const std::string& from, std::size_t at)
    {
        return boost::endian::load_big_u32(
            reinterpret_cast<const unsigned char*>(from.data() + at));
    }

    static std::uint16_t read_small(const std::string& from, std::size_t at)
    {
        return boost::endian::load_big_u16(
            reinterpret_cast<const unsigned char*>(from.data() + at));
    }

    static std::string notification(std::string_view channel, std::string_view payload)
    {
        return fake_server::message('A', number(1) + text(channel) + text(payload));
    }

    bool receive(session& s)
    {
        std::array<char, 4096> buffer{};
        const ssize_t count = ::recv(s.socket, buffer.data(), buffer.size(), 0);
        if (count == 0) s.over = true;
        if (count <= 0) return false;
        s.in.append(buffer.data(), static_cast<std::size_t>(count));
        work(s);
        return true;
    }

    /// Does what it was sent, as far as that has come and nothing waits.
    void work(session& s)
    {
        while (!s.waiting) {
            const std::size_t head = s.started ? 1 : 0;
            if (s.in.size() < head + 4) return;
            const std::size_t size = head + read_number(s.in, head);
            if (s.in.size() < size) return;
            const std::string message = s.in.substr(0, size);
            s.in.erase(0, size);
            if (s.started)
                obey(s, message[0], message.substr(5));
            else
                welcome(s);
        }
    }

    static void welcome(session& s)
    {
        s.started = true;
        s.out += fake_server::message('R', number(0)) +
                 fake_server::message('S', text("server_version") + text("15.4")) +
                 fake_server::message('K', number(static_cast<std::uint32_t>(s.pid)) + number(1));
        ready(s);
    }

    static void ready(session& s)
    {
        s.skipping = false;
        if (s.transaction == 'I') s.out += std::exchange(s.notifications, {});
        s.out += fake_server::message('Z', std::string_view{&s.transaction, 1});
    }

    void obey(session& s, char type, const std::string& body)
    {
        if (type == 'X') s.over = true;
        if (type == 'S') ready(s);
        if (type == 'Q') query(s, body.c_str());
        if (s.skipping) return;
        const std::string first = body.c_str();
        switch (type) {
        case 'P':
            s.prepared[first] = body.c_str() + first.size() + 1;
            s.out += fake_server::message('1', "");
            break;
        case 'B': bind(s, body, first.size() + 1); break;
        case 'D': describe(s); break;
        case 'E': execute(s, s.portal); break;
        default: break;
        }
    }

    static void bind(session& s, const std::string& body, std::size_t at)
    {
        const std::string name = body.c_str() + at;
        s.portal = s.prepared[name];
        at += name.size() + 1;
        at += 2 + 2u * read_small(body, at); // formats
        const std::uint16_t count = read_small(body, at);
        at += 2;
        s.arguments.clear();
        for (std::uint16_t i = 0; i < count; ++i) {
            const std::uint32_t length = read_number(body, at);
            at += 4;
            if (length == ~0u) {
                s.arguments.emplace_back();
                continue;
            }
            s.arguments.push_back(body.substr(at, length));
            at += length;
        }
        s.out += fake_server::message('2', "");
    }

    /// What a statement returns; nothing for those that return no rows.
    std::vector<value> row_of(const std::string& sql) const
    {
        for (const auto& [part, row] : answers_)
            if (sql.find(part) != std::string::npos) return row;
        for (const char* query : {"select", "many", "next"})
            if (sql.starts_with(query)) return {{25, sql}};
        return {};
    }

    void describe(session& s) const
    {
        const std::vector<value> row = row_of(s.portal);
        if (row.empty()) {
            s.out += fake_server::message('n', "");
            return;
        }
        std::string columns = small(static_cast<std::uint16_t>(row.size()));
        for (const value& v : row)
            columns += text("c") + number(0) + small(0) + number(v.type) + small(0xffff) +
                       number(~0u) + small(1);
        s.out += fake_server::message('T', columns);
    }

    static void fail(session& s, std::string_view sqlstate, std::string_view words)
    {
        if (s.transaction == 'T') s.transaction = 'E';
        s.skipping = true;
        s.out += fake_server::message(
            'E', text("SERROR") + text("VERROR") + "C" + text(sqlstate) + "M" + text(words) +
                     std::string(1, '\0'));
    }

    void cancel(std::int32_t pid)
    {
        for (session& s : sessions_) {
            if (s.pid != pid || !s.waiting) continue;
            s.waiting = false;
            fail(s, "57014", "it was cancelled");
            work(s);
        }
    }

    /// False if it failed, or waits.
    bool execute(session& s, const std::string& sql)
    {
        if (sql.starts_with("next") && s.transaction != 'I') ++met_transaction_;
        const bool ends = sql.starts_with("commit") || sql.starts_with("rollback");
        if (sql.starts_with("fail") || (s.transaction == 'E' && !ends)) {
            fail(s, "22012", "it failed");
            return false;
        }
        if (sql.starts_with("wait")) {
            s.waiting = true;
            return false;
        }
        std::string tag = "SELECT 1";
        if (sql.starts_with("begin")) {
            s.transaction = 'T';
            tag = "BEGIN";
        } else if (ends) {
            const bool committed = s.transaction == 'T' && sql.starts_with("commit");
            commits_ += committed ? 1 : 0;
            s.transaction = 'I';
            tag = committed ? "COMMIT" : "ROLLBACK";
        } else if (sql.starts_with("listen")) {
            s.channels.insert(sql.substr(8, sql.size() - 9)); // quoted
            tag = "LISTEN";
        } else if (sql.find("pg_notify") != std::string::npos) {
            s.notifications += notification(s.arguments.at(0), s.arguments.at(1));
        } else if (sql.find("pg_cancel_backend") != std::string::npos) {
            cancel(static_cast<std::int32_t>(read_number(s.arguments.at(0), 0)));
        }
        const std::vector<value> row = row_of(sql);
        if (!row.empty()) {
            std::string fields = small(static_cast<std::uint16_t>(row.size()));
            for (const value& v : row)
                fields += number(static_cast<std::uint32_t>(v.bytes.size())) + v.bytes;
            const int rows = sql.starts_with("many") ? 10 : 1;
            for (int i = 0; i < rows; ++i) s.out += fake_server::message('D', fields);
        }
        s.out += fake_server::message('C', text(tag));
        return true;
    }

    void query(session& s, std::string_view script)
    {
        while (!script.empty()) {
            const auto end = std::min(script.find(';'), script.size());
            s.portal = script.substr(script.find_first_not_of(' '), end);
            script.remove_prefix(std::min(end + 1, script.size()));
            const std::size_t before = s.out.size();
            const bool done = execute(s, s.portal);
            if (!done) break;
            const std::string answered = s.out.substr(before);
            s.out.resize(before);
            if (!row_of(s.portal).empty()) describe(s);
            s.out += answered;
        }
        ready(s);
    }

    temporary_directory directory_;
    int listening_ = -1;
    std::int32_t last_pid_ = 0;
    std::size_t at_most_ = 1 << 20;
    std::size_t met_transaction_ = 0;
    std::size_t commits_ = 0;
    std::list<session> sessions_;
    std::vector<std::pair<std::string, std::vector<value>>> answers_;
};

} // namespace perdure::test
