// How a session waits for its socket and moves bytes between it and libpq.
#include <pg/session.hpp>

#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

namespace perdure::pg {

namespace asio = boost::asio;
using boost::system::error_code;
using descriptor = asio::posix::stream_descriptor;

/// False: `until` came first.
asio::awaitable<bool> connection::session::wait_readable(clock::time_point until)
{
    timer_.expires_at(until);
    auto first = asio::experimental::make_parallel_group(
        socket_.async_wait(descriptor::wait_read, asio::deferred),
        timer_.async_wait(asio::deferred));
    const auto outcome =
        co_await first.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    const auto& [order, readable, expired] = outcome;
    check_wait(order[0] == 0 ? readable : expired);
    co_return order[0] == 0;
}

/// False: `until` came first.
asio::awaitable<bool> connection::session::wait_readable_or_writable(clock::time_point until)
{
    timer_.expires_at(until);
    auto first = asio::experimental::make_parallel_group(
        socket_.async_wait(descriptor::wait_read, asio::deferred),
        socket_.async_wait(descriptor::wait_write, asio::deferred),
        timer_.async_wait(asio::deferred));
    const auto outcome =
        co_await first.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    const auto& [order, readable, writable, expired] = outcome;
    check_wait(order[0] == 0 ? readable : order[0] == 1 ? writable : expired);
    co_return order[0] != 2;
}

void connection::session::check_wait(error_code ended) const
{
    if (!handle_) throw_unusable(); // closed while it waited
    if (ended) throw boost::system::system_error{ended};
}

/// When the server has been silent for too long, counted from now.
connection::session::clock::time_point connection::session::answer_due() const noexcept
{
    const auto now = clock::now();
    const auto left = clock::time_point::max() - now;
    return std::min(limit_, now + std::min(response_timeout_, left));
}

void connection::session::throw_silent() const
{
    diagnostics words;
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(response_timeout_);
    words.message =
        "the server was silent for " + std::to_string(time.count()) + " ms while an answer was due";
    throw silence{words};
}

bool connection::session::send_sync()
{
    if (PQpipelineSync(handle_->get()) != 1) return false;
    ++syncs_due_;
    return true;
}

asio::awaitable<void> connection::session::flush()
{
    // While the server cannot send it does not read either: waiting to write alone could last for
    // ever.
    while (PQflush(handle_->get()) == 1) {
        const bool ready = co_await wait_readable_or_writable(answer_due());
        if (!ready) throw_silent();
        consume();
    }
    // A failure to send is no news yet: what the server said before it hung up is still to be read.
}

asio::awaitable<result_pointer> connection::session::next_result()
{
    while (PQisBusy(handle_->get()) && !socket_gone()) {
        if (!handle_->has_hidden_bytes()) {
            const bool ready = co_await wait_readable(answer_due());
            if (!ready) throw_silent();
        }
        if (!consume() && PQisBusy(handle_->get()) && !socket_gone()) co_return nullptr;
    }
    result_pointer answer{PQgetResult(handle_->get())}; // cannot block: not busy, or no socket
    if (PQresultStatus(answer.get()) == PGRES_PIPELINE_SYNC && syncs_due_ > 0) --syncs_due_;
    co_return answer;
}

bool connection::session::consume()
{
    const bool consumed = PQconsumeInput(handle_->get()) == 1;
    take_notifications();
    return consumed;
}

void connection::session::take_notifications()
{
    struct deleter
    {
        void operator()(PGnotify* n) const noexcept { PQfreemem(n); }
    };
    while (std::unique_ptr<PGnotify, deleter> n{PQnotifies(handle_->get())})
        notifications_.push_back(notification{n->relname, n->extra, n->be_pid});
}

bool connection::session::socket_gone() const noexcept
{
    return PQstatus(handle_->get()) == CONNECTION_BAD || PQsocket(handle_->get()) < 0;
}

bool connection::session::server_said_goodbye() const noexcept
{
    return std::ranges::any_of(handle_->notices(), ends_session);
}

diagnostics connection::session::last_words() const
{
    const auto& notices = handle_->notices();
    const auto goodbye = std::ranges::find_if(notices, ends_session);
    if (goodbye != notices.end()) return *goodbye;
    diagnostics words;
    words.message = one_line(PQerrorMessage(handle_->get()));
    if (words.message.empty()) words.message = "the server closed the connection";
    return words;
}

asio::awaitable<std::vector<notification>> connection::session::wait_notifications(
    pointer self, std::chrono::steady_clock::time_point deadline)
{
    operation waiting{*self};
    self->take_notifications();
    while (self->notifications_.empty() && std::chrono::steady_clock::now() < deadline) {
        if (!self->handle_->has_hidden_bytes()) co_await self->wait_readable(deadline);
        if (!self->consume() || self->server_said_goodbye()) {
            const diagnostics words = self->last_words();
            self->end(condition::lost);
            throw lost_error(errc::connection_lost, words);
        }
    }
    std::vector<notification> arrived{
        std::make_move_iterator(self->notifications_.begin()),
        std::make_move_iterator(self->notifications_.end())};
    self->notifications_.clear();
    co_return arrived;
}

} // namespace perdure::pg
