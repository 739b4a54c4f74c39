#include <pg/row_stream.hpp>

#include <utility>

namespace perdure::pg {

namespace asio = boost::asio;

asio::awaitable<row_stream> row_stream::state::open(
    std::shared_ptr<connection::session> s, pipeline one, std::shared_ptr<void> owner)
{
    auto made = std::make_shared<state>(std::move(s), std::move(owner));
    co_await connection::session::streaming::start(made->rows_, std::move(one));
    co_return row_stream{std::move(made)};
}

asio::awaitable<result> row_stream::state::next(std::shared_ptr<state> self)
{
    result some;
    if (!self) co_return some; // moved from
    try {
        some = co_await connection::session::streaming::next(self->rows_);
    } catch (...) {
        self->owner_.reset();
        throw;
    }
    if (self->done()) self->owner_.reset();
    co_return some;
}

row_stream::row_stream(std::shared_ptr<state> s) noexcept : state_{std::move(s)} {}

row_stream::row_stream(row_stream&&) noexcept = default;

row_stream& row_stream::operator=(row_stream&&) noexcept = default;

row_stream::~row_stream() = default;

asio::awaitable<result> row_stream::next()
{
    return state::next(state_);
}

bool row_stream::done() const noexcept
{
    return !state_ || state_->done();
}

} // namespace perdure::pg
