#include <perdure/worker/worker.hpp>

#include <worker/worker_core.hpp>

#include <utility>

namespace perdure {

worker_options& worker_options::queues(std::vector<std::string> names)
{
    queues_ = std::move(names);
    return *this;
}

worker_options& worker_options::workflow_slots(std::size_t slots)
{
    workflow_slots_ = slots;
    return *this;
}

worker_options& worker_options::activity_slots(std::size_t slots)
{
    activity_slots_ = slots;
    return *this;
}

worker_options& worker_options::threads(std::size_t count)
{
    threads_ = count;
    return *this;
}

worker_options& worker_options::cached_instances(std::size_t count)
{
    cached_instances_ = count;
    return *this;
}

worker_options& worker_options::lease(std::chrono::milliseconds duration)
{
    lease_ = duration;
    return *this;
}

worker_options& worker_options::hand_back_delay(std::chrono::milliseconds delay)
{
    hand_back_delay_ = delay;
    return *this;
}

worker::worker(engine& on, worker_options options)
    : core_{std::make_shared<worker_core>(on.core(), std::move(options))}
{}

worker::~worker()
{
    core_->drain(std::chrono::milliseconds{0});
    core_->join_threads();
}

boost::asio::awaitable<void> worker::run()
{
    return worker_core::run(core_); // the worker may be destroyed before this begins
}

void worker::drain(std::chrono::milliseconds deadline)
{
    core_->drain(deadline);
}

void worker::add(workflow_implementation implementation)
{
    core_->add(std::move(implementation));
}

void worker::add(activity_implementation implementation)
{
    core_->add(std::move(implementation));
}

} // namespace perdure
