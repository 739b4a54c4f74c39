// The inside of a connection: libpq's state, the descriptor Asio waits on, and the operations.
#pragma once

#include <pg/conninfo.hpp>
#include <pg/handle.hpp>
#include <pg/pipeline_reader.hpp>
#include <pg/salvage.hpp>

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
#include <string_view>
#include <unordered_map>
#include <vector>

namespace perdure::pg {

/// Operations take a share of it, so that it outlives a connection that is destroyed while one is
/// suspended.
class PERDURE_LOCAL connection::session
{
public:
    using pointer = std::shared_ptr<session>;
    using clock = std::chrono::steady_clock;

    /// Takes a connection that is established, non-blocking and in pipeline mode, and a descriptor
    /// of its own for its socket.
    session(
        std::unique_ptr<handle> established, boost::asio::posix::stream_descriptor socket,
        connection_options options);

    /// Makes one of the attempts in turn, each with its share of the time that is left.
    static boost::asio::awaitable<pointer> connect(
        connection_options options, std::vector<conninfo> attempts);

    static boost::asio::awaitable<pipeline_result> run(pointer self, pipeline statements);
    static boost::asio::awaitable<result> run_one(pointer self, pipeline one);
    static boost::asio::awaitable<void> execute_script(pointer self, std::string sql);
    static boost::asio::awaitable<std::vector<notification>> wait_notifications(
        pointer self, clock::time_point deadline);
    static boost::asio::awaitable<bool> recover(pointer self, clock::duration within);

    bool usable() const noexcept { return condition_ == condition::usable; }
    bool in_transaction() const noexcept;
    bool clean() const noexcept;
    bool recoverable() const noexcept;
    bool check_idle() noexcept;
    int backend_pid() const noexcept;
    int server_version() const noexcept;
    std::vector<diagnostics> take_notices();
    clock::duration response_timeout() const noexcept { return response_timeout_; }
    void response_timeout(clock::duration value) noexcept { response_timeout_ = value; }
    void close() noexcept { end(condition::closed); }

private:
    enum class condition
    {
        usable,
        lost,      ///< By the server or the network, or no longer fit to write to.
        abandoned, ///< An operation left it in a state that nobody knows; see `recover`.
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
    class recovery;
    class silence;

public:
    class streaming;

private:
    // What is sent, and what the answers mean: session.cpp.
    static boost::asio::awaitable<void> refuse_if_cancelled();
    static bool unfit(std::string_view sqlstate) noexcept; ///< No place to write to: a standby.
    stake stake_of(const pipeline& statements) const noexcept;
    void note_stale(const PGresult* refusal, const std::string& key);
    boost::asio::awaitable<pipeline_reader> round_trip(pipeline& statements);
    std::vector<command> send(const pipeline& statements, pipeline_reader& reader);
    bool send_item(const pipeline::item& item, std::size_t index, std::vector<command>& commands);
    boost::asio::awaitable<void> receive(
        std::vector<command> commands, pipeline_reader& reader, std::optional<std::size_t> commit);
    void read_answer(const command& c, result_pointer answer, pipeline_reader& reader);
    boost::asio::awaitable<void> roll_back();
    boost::asio::awaitable<diagnostics> run_command(const char* sql);

    // Several statements in one text: script.cpp.
    boost::asio::awaitable<diagnostics> run_script(std::string sql);

    // Bringing it back: recover.cpp.
    boost::asio::awaitable<salvage::outcome> perform(salvage::action what, clock::time_point limit);
    boost::asio::awaitable<void> drain();
    boost::asio::awaitable<bool> cancel_unless_closed(clock::time_point limit);
    boost::asio::awaitable<bool> cancel_backend(clock::time_point limit);
    void abandon() noexcept;

    // Waiting and receiving: session_io.cpp.
    boost::asio::awaitable<bool> wait_readable(clock::time_point until);
    boost::asio::awaitable<bool> wait_readable_or_writable(clock::time_point until);
    clock::time_point answer_due() const noexcept;
    [[noreturn]] void throw_silent() const;
    bool send_sync();
    boost::asio::awaitable<void> flush();
    boost::asio::awaitable<result_pointer> next_result();
    bool consume();
    void take_notifications();
    bool socket_gone() const noexcept;
    void check_wait(boost::system::error_code ended) const;
    bool server_said_goodbye() const noexcept;
    diagnostics last_words() const;

    void report_notices() noexcept;
    void end(condition why) noexcept;
    [[noreturn]] void throw_unusable() const;

    std::unique_ptr<handle> handle_; ///< Not null exactly when it is usable or abandoned.
    boost::asio::posix::stream_descriptor socket_;
    boost::asio::steady_timer timer_;
    connection_options options_;
    clock::duration response_timeout_;
    clock::time_point limit_ = clock::time_point::max(); ///< Of a recovery that is under way.
    clock::time_point established_ = clock::now();
    condition condition_ = condition::usable;
    bool busy_ = false;
    stake stake_ = stake::nothing; ///< Of the operation that is under way or was abandoned.
    std::size_t syncs_due_ = 0;    ///< How many round trips were sent and not answered to the end.
    bool stale_statement_ = false; ///< A statement was refused only because of how it was prepared.
    std::unordered_map<std::string, std::string>
        prepared_; ///< Statement and types → name on the server.
    std::size_t prepared_serial_ = 0;
    std::deque<notification> notifications_;
};

/// The server did not answer in time.
class connection::session::silence : public error
{
public:
    explicit silence(const pg::diagnostics& words)
        : error{lost_error(errc::response_timed_out, words)}
    {}
};

/// The mark that an operation is under way. Whatever leaves it unfinished, an exception or the
/// destruction of its coroutine, leaves the session abandoned once something was sent.
class connection::session::operation
{
public:
    /// Throws std::logic_error while another operation is under way, and errc::closed when
    /// unusable.
    explicit operation(session& s);
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;
    ~operation();

    void started(stake at_stake) noexcept
    {
        session_.stake_ = at_stake;
        sent_ = true;
    }
    void finished() noexcept { sent_ = false; }

private:
    session& session_;
    bool sent_ = false;
};

} // namespace perdure::pg
