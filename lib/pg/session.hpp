// The inside of a connection: libpq's state, the descriptor Asio waits on, and the operations.
#pragma once

#include <pg/handle.hpp>
#include <pg/pipeline_reader.hpp>

#include <perdure/pg/connection.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace perdure::pg {

/// Operations take a share of it, so that it outlives a connection that is destroyed while one is
/// suspended.
class PERDURE_LOCAL connection::session
{
public:
    using pointer = std::shared_ptr<session>;

    /// Takes a connection that is established, non-blocking and in pipeline mode, and a descriptor
    /// of its own for its socket.
    session(
        std::unique_ptr<handle> established, boost::asio::posix::stream_descriptor socket,
        bool prepare);

    static boost::asio::awaitable<pipeline_result> run(pointer self, pipeline statements);
    static boost::asio::awaitable<result> run_one(pointer self, pipeline one);
    static boost::asio::awaitable<void> execute_script(pointer self, std::string sql);
    static boost::asio::awaitable<std::vector<notification>> wait_notifications(
        pointer self, std::chrono::steady_clock::time_point deadline);

    bool usable() const noexcept { return condition_ == condition::usable; }
    bool clean() const noexcept;
    bool check_idle();
    int backend_pid() const noexcept;
    int server_version() const noexcept;
    std::vector<diagnostics> take_notices();
    void close() noexcept { end(condition::closed); }

private:
    enum class condition
    {
        usable,
        lost,      ///< By the server or the network, or no longer fit to write to.
        abandoned, ///< An operation left it in a state that nobody knows.
        closed,    ///< By its owner.
    };

    /// Something that was sent and is answered by one result.
    struct command
    {
        enum class kind
        {
            prepare,
            execute
        };
        kind what = kind::execute;
        std::size_t item = 0;
        std::string key;  ///< Statement and types of its arguments; empty: sent unprepared.
        std::string name; ///< Of the prepared statement on the server.
    };

    class operation;

    // What is sent, and what the answers mean: session.cpp.
    std::vector<command> send(const pipeline& statements, pipeline_reader& reader);
    bool send_item(const pipeline::item& item, std::size_t index, std::vector<command>& commands);
    boost::asio::awaitable<void> receive(
        std::vector<command> commands, pipeline_reader& reader, std::optional<std::size_t> commit);
    void read_answer(const command& c, result_pointer answer, pipeline_reader& reader);
    boost::asio::awaitable<void> roll_back();
    boost::asio::awaitable<diagnostics> run_script(std::string sql);

    // Waiting and receiving: session_io.cpp.
    boost::asio::awaitable<void> wait_readable();
    boost::asio::awaitable<void> wait_readable_or_writable();
    boost::asio::awaitable<void> wait_readable_until(
        std::chrono::steady_clock::time_point deadline);
    boost::asio::awaitable<void> flush();
    boost::asio::awaitable<result_pointer> next_result();
    bool consume();
    void take_notifications();
    bool socket_gone() const noexcept;
    void check_wait(boost::system::error_code ended) const;
    bool server_said_goodbye() const noexcept;
    diagnostics last_words() const;

    void end(condition why) noexcept;
    [[noreturn]] void throw_unusable() const;

    std::unique_ptr<handle> handle_; ///< Null exactly when it is not usable.
    boost::asio::posix::stream_descriptor socket_;
    boost::asio::steady_timer timer_;
    bool prepare_;
    condition condition_ = condition::usable;
    bool busy_ = false;
    std::unordered_map<std::string, std::string>
        prepared_; ///< Statement and types → name on the server.
    std::size_t prepared_serial_ = 0;
    std::deque<notification> notifications_;
};

/// The mark that an operation is under way. Whatever leaves it unfinished, an exception or the
/// destruction of its coroutine, ends the session once something was sent.
class PERDURE_LOCAL connection::session::operation
{
public:
    /// Throws std::logic_error while another operation is under way, and errc::closed when
    /// unusable.
    explicit operation(session& s);
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;
    ~operation();

    void started() noexcept { sent_ = true; }
    void finished() noexcept { sent_ = false; }

private:
    session& session_;
    bool sent_ = false;
};

} // namespace perdure::pg
