// Natural batching: what becomes ready while a round trip is under way goes out together in the
// next one. Idle this is a batch of one at the lowest latency; under load batches grow by
// themselves.
#pragma once

#include <engine/one_shot.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

namespace perdure {

/// Collects items and sends them in batches, one batch at a time.
template <class Item, class Outcome>
class batcher : public std::enable_shared_from_this<batcher<Item, Outcome>>
{
public:
    /// Sends a batch; gives one outcome an item, in order. What it throws reaches every item of the
    /// batch.
    using sender = std::function<boost::asio::awaitable<std::vector<Outcome>>(std::vector<Item>)>;

    batcher(boost::asio::any_io_executor executor, std::size_t most, sender send)
        : executor_{std::move(executor)}, most_{most}, send_{std::move(send)}
    {}

    /// Hands in an item and waits for its outcome. A cancelled wait leaves the item in its batch.
    boost::asio::awaitable<Outcome> submit(Item item)
    {
        auto outcome = std::make_shared<one_shot<Outcome>>(executor_);
        items_.push_back(std::move(item));
        outcomes_.push_back(outcome);
        if (!sending_) {
            sending_ = true;
            auto self = this->shared_from_this();
            boost::asio::co_spawn(
                executor_, send_all(self),
                boost::asio::bind_cancellation_slot(cancel_.slot(), [self](std::exception_ptr) {}));
        }
        co_return co_await outcome->wait();
    }

    /// Cancels the batch that is under way; it and what waits behind it fail with
    /// `operation_aborted`.
    void cancel() { cancel_.emit(boost::asio::cancellation_type::terminal); }

private:
    using outcome_pointer = std::shared_ptr<one_shot<Outcome>>;

    static boost::asio::awaitable<void> send_all(std::shared_ptr<batcher> self)
    {
        while (!self->items_.empty()) {
            const auto count =
                static_cast<std::ptrdiff_t>(std::min(self->most_, self->items_.size()));
            std::vector<Item> items{
                std::make_move_iterator(self->items_.begin()),
                std::make_move_iterator(self->items_.begin() + count)};
            std::vector<outcome_pointer> waiting{
                self->outcomes_.begin(), self->outcomes_.begin() + count};
            self->items_.erase(self->items_.begin(), self->items_.begin() + count);
            self->outcomes_.erase(self->outcomes_.begin(), self->outcomes_.begin() + count);
            std::exception_ptr failure;
            std::vector<Outcome> outcomes;
            try {
                outcomes = co_await self->send_(std::move(items));
                if (outcomes.size() != waiting.size())
                    throw std::logic_error{"a batch was answered with another number of outcomes"};
            } catch (...) {
                failure = std::current_exception();
            }
            for (std::size_t i = 0; i < waiting.size(); ++i) {
                if (failure)
                    waiting[i]->fail(failure);
                else
                    waiting[i]->set(std::move(outcomes[i]));
            }
        }
        self->sending_ = false;
    }

    boost::asio::any_io_executor executor_;
    std::size_t most_;
    sender send_;
    std::vector<Item> items_;
    std::vector<outcome_pointer> outcomes_;
    bool sending_ = false;
    boost::asio::cancellation_signal cancel_;
};

} // namespace perdure
