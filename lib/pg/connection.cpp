#include <perdure/pg/connection.hpp>

#include <pg/row_stream.hpp>
#include <pg/session.hpp>
#include <pg/transaction.hpp>

#include <utility>

namespace perdure::pg {

namespace asio = boost::asio;

namespace {

template <class Session>
Session still_there(Session session)
{
    if (!session) throw error{errc::closed, "the connection was moved away"};
    return session;
}

} // namespace

connection::connection(std::shared_ptr<session> s) noexcept : session_{std::move(s)} {}

connection::connection(connection&&) noexcept = default;

connection& connection::operator=(connection&& other) noexcept
{
    if (this != &other) {
        close();
        session_ = std::move(other.session_);
    }
    return *this;
}

connection::~connection()
{
    close();
}

asio::awaitable<pipeline_result> connection::run(pipeline statements)
{
    return session::run(still_there(session_), std::move(statements));
}

asio::awaitable<result> connection::run_one(pipeline one)
{
    return session::run_one(still_there(session_), std::move(one));
}

asio::awaitable<row_stream> connection::open_stream(pipeline one)
{
    return row_stream::state::open(still_there(session_), std::move(one), nullptr);
}

asio::awaitable<transaction> connection::begin(transaction_options options)
{
    return transaction::state::open(still_there(session_), options, nullptr);
}

asio::awaitable<void> connection::execute_script(std::string sql)
{
    return session::execute_script(still_there(session_), std::move(sql));
}

asio::awaitable<std::vector<notification>> connection::wait_notifications(
    std::chrono::steady_clock::time_point deadline)
{
    return session::wait_notifications(still_there(session_), deadline);
}

asio::awaitable<bool> connection::recover(std::chrono::steady_clock::duration within)
{
    return session::recover(still_there(session_), within);
}

bool connection::usable() const noexcept
{
    return session_ && session_->usable();
}

bool connection::clean() const noexcept
{
    return session_ && session_->clean();
}

bool connection::recoverable() const noexcept
{
    return session_ && session_->recoverable();
}

bool connection::check_idle()
{
    return session_ && session_->check_idle();
}

int connection::backend_pid() const noexcept
{
    return session_ ? session_->backend_pid() : 0;
}

int connection::server_version() const noexcept
{
    return session_ ? session_->server_version() : 0;
}

std::vector<diagnostics> connection::take_notices()
{
    return session_ ? session_->take_notices() : std::vector<diagnostics>{};
}

void connection::response_timeout(std::chrono::steady_clock::duration value) noexcept
{
    if (session_) session_->response_timeout(value);
}

std::chrono::steady_clock::duration connection::response_timeout() const noexcept
{
    return session_ ? session_->response_timeout() : std::chrono::steady_clock::duration{};
}

void connection::close() noexcept
{
    if (session_) session_->close();
}

} // namespace perdure::pg
