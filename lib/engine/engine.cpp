#include <perdure/engine/engine.hpp>

#include <engine/engine_core.hpp>

#include <utility>

namespace perdure {

engine_options& engine_options::schema(std::string name)
{
    schema_ = std::move(name);
    return *this;
}

engine_options& engine_options::pool_size(std::size_t connections)
{
    pool_size_ = connections;
    return *this;
}

engine_options& engine_options::pool_timeout(std::chrono::milliseconds timeout)
{
    pool_timeout_ = timeout;
    return *this;
}

engine_options& engine_options::connect_timeout(std::chrono::milliseconds timeout)
{
    connect_timeout_ = timeout;
    return *this;
}

engine_options& engine_options::response_timeout(std::chrono::milliseconds timeout)
{
    response_timeout_ = timeout;
    return *this;
}

engine_options& engine_options::listener_dsn(std::string dsn)
{
    listener_dsn_ = std::move(dsn);
    return *this;
}

engine_options& engine_options::notifications(notification_mode mode)
{
    notifications_ = mode;
    return *this;
}

engine_options& engine_options::poll_interval(std::chrono::milliseconds interval)
{
    poll_interval_ = interval;
    return *this;
}

engine_options& engine_options::safety_poll(std::chrono::milliseconds interval)
{
    safety_poll_ = interval;
    return *this;
}

engine_options& engine_options::prepared_statements(bool on)
{
    prepared_statements_ = on;
    return *this;
}

engine_options& engine_options::log(logger receiver)
{
    log_ = std::move(receiver);
    return *this;
}

engine::engine(boost::asio::io_context& context, std::string dsn, engine_options options)
    : engine{context.get_executor(), std::move(dsn), std::move(options)}
{}

engine::engine(boost::asio::any_io_executor executor, std::string dsn, engine_options options)
    : core_{std::make_shared<engine_core>(std::move(executor), std::move(dsn), std::move(options))}
{}

engine::~engine()
{
    core_->shut_down();
}

boost::asio::any_io_executor engine::get_executor() const noexcept
{
    return core_->executor();
}

const engine_options& engine::options() const noexcept
{
    return core_->options();
}

} // namespace perdure
