// Reads the rows of one statement as they come, as an operation that lasts until the last of them.
#pragma once

#include <pg/session.hpp>

#include <optional>

namespace perdure::pg {

class connection::session::streaming
{
public:
    /// Throws as an operation that begins.
    explicit streaming(pointer s) : session_{std::move(s)} { running_.emplace(*session_); }

    /// Sends the statement of a pipeline of one and waits for the beginning of its answer. Errors
    /// as those of `session::run`.
    static boost::asio::awaitable<void> start(std::shared_ptr<streaming> self, pipeline one);

    /// The next rows; empty at the end.
    static boost::asio::awaitable<result> next(std::shared_ptr<streaming> self);

    bool done() const noexcept { return !running_; }

private:
    boost::asio::awaitable<void> begin(pipeline one);
    boost::asio::awaitable<void> send(pipeline& one);
    boost::asio::awaitable<void> finish();
    result gather();
    void ended() noexcept;

    pointer session_;
    result_pointer pending_; ///< Received, and not handed out.
    std::optional<operation> running_;
};

} // namespace perdure::pg
