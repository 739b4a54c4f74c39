// The inside of a stream of rows.
#pragma once

#include <pg/streaming.hpp>

#include <perdure/pg/row_stream.hpp>

#include <memory>

namespace perdure::pg {

class PERDURE_LOCAL row_stream::state
{
public:
    state(std::shared_ptr<connection::session> s, std::shared_ptr<void> owner)
        : owner_{std::move(owner)},
          rows_{std::make_shared<connection::session::streaming>(std::move(s))}
    {}

    /// Sends the statement of a pipeline of one. `owner`: what is to live until the last row.
    static boost::asio::awaitable<row_stream> open(
        std::shared_ptr<connection::session> s, pipeline one, std::shared_ptr<void> owner);

    static boost::asio::awaitable<result> next(std::shared_ptr<state> self);

    bool done() const noexcept { return rows_->done(); }

private:
    std::shared_ptr<void> owner_; ///< Of the session; goes after the operation on it.
    std::shared_ptr<connection::session::streaming> rows_;
};

} // namespace perdure::pg
