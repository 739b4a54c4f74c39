// Natural batching: what becomes ready while a round trip is under way goes out together in the
// next one. Idle this is a batch of one at the lowest latency; under load batches grow by
// themselves.
#pragma once

#include <engine/one_shot.hpp>

#include <perdure/store/answers.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

namespace perdure {

/// Collects items and sends them in batches, one after the other. An item is answered as soon as
/// its outcome is known; a batch that is held up by somebody else's lock does not hold up the next.
template <class Item, class Outcome>
class batcher : public std::enable_shared_from_this<batcher<Item, Outcome>>
{
public:
    using answers = store::answers<Outcome>;
    /// Sends a batch and answers each of its items once. What it throws reaches the items that are
    /// not answered.
    using sender = std::function<boost::asio::awaitable<void>(std::vector<Item>, answers)>;

    /// Sends a batch; gives one outcome an item, in order, all at once.
    using whole_sender =
        std::function<boost::asio::awaitable<std::vector<Outcome>>(std::vector<Item>)>;

    batcher(boost::asio::any_io_executor executor, std::size_t most, sender send)
        : executor_{std::move(executor)}, most_{most}, send_{std::move(send)}
    {}

    batcher(boost::asio::any_io_executor executor, std::size_t most, whole_sender send)
        : batcher{
              std::move(executor), most,
              sender{[send = std::move(send)](std::vector<Item> items, answers hears) {
                  return answer_all(send, std::move(items), std::move(hears));
              }}}
    {}

    /// Hands in an item and waits for its outcome. A cancelled wait leaves the item in its batch.
    boost::asio::awaitable<Outcome> submit(Item item)
    {
        auto outcome = std::make_shared<one_shot<Outcome>>(executor_);
        items_.push_back(std::move(item));
        outcomes_.push_back(outcome);
        if (!sending_) send_next();
        co_return co_await outcome->wait();
    }

    /// Cancels the batches that are under way; they and what waits behind them fail with
    /// `operation_aborted`.
    void cancel()
    {
        const auto aborted = std::make_exception_ptr(
            boost::system::system_error{boost::asio::error::operation_aborted});
        for (const outcome_pointer& waiting : outcomes_) waiting->fail(aborted);
        outcomes_.clear();
        items_.clear();
        for (batch& each : batches_) each.cancel.emit(boost::asio::cancellation_type::terminal);
    }

private:
    using outcome_pointer = std::shared_ptr<one_shot<Outcome>>;

    /// One that is under way.
    struct batch
    {
        std::vector<outcome_pointer> waiting; // empty pointers: answered
        bool leads = true;                    // the next one waits for it
        boost::asio::cancellation_signal cancel;
    };
    using batch_pointer = typename std::list<batch>::iterator;

    void send_next()
    {
        const auto count = static_cast<std::ptrdiff_t>(std::min(most_, items_.size()));
        std::vector<Item> items{
            std::make_move_iterator(items_.begin()),
            std::make_move_iterator(items_.begin() + count)};
        items_.erase(items_.begin(), items_.begin() + count);
        const batch_pointer current = batches_.emplace(batches_.end());
        current->waiting.assign(outcomes_.begin(), outcomes_.begin() + count);
        outcomes_.erase(outcomes_.begin(), outcomes_.begin() + count);
        sending_ = true;

        auto self = this->shared_from_this();
        boost::asio::co_spawn(
            executor_, send(self, std::move(items), current),
            boost::asio::bind_cancellation_slot(
                current->cancel.slot(),
                [self, current](std::exception_ptr failure) { self->ended(current, failure); }));
    }

    static boost::asio::awaitable<void> send(
        std::shared_ptr<batcher> self, std::vector<Item> items, batch_pointer current)
    {
        answers hears;
        hears.answer = [current](std::size_t item, Outcome outcome) {
            const outcome_pointer waiting = std::exchange(current->waiting.at(item), nullptr);
            waiting->set(std::move(outcome));
        };
        hears.held_up = [self, current] { self->let_others_pass(*current); };
        co_await self->send_(std::move(items), std::move(hears));
    }

    static boost::asio::awaitable<void> answer_all(
        whole_sender send, std::vector<Item> items, answers hears)
    {
        std::vector<Outcome> outcomes = co_await send(std::move(items));
        for (std::size_t i = 0; i < outcomes.size(); ++i) hears.answer(i, std::move(outcomes[i]));
    }

    void let_others_pass(batch& current)
    {
        if (!std::exchange(current.leads, false)) return;
        sending_ = false;
        if (!items_.empty()) send_next();
    }

    void ended(batch_pointer current, std::exception_ptr failure)
    {
        for (const outcome_pointer& waiting : current->waiting) {
            if (!waiting) continue;
            if (!failure)
                failure = std::make_exception_ptr(
                    std::logic_error{"a batch ended without an answer to one of its items"});
            waiting->fail(failure);
        }
        let_others_pass(*current);
        batches_.erase(current);
    }

    boost::asio::any_io_executor executor_;
    std::size_t most_;
    sender send_;
    std::vector<Item> items_;
    std::vector<outcome_pointer> outcomes_;
    bool sending_ = false; // a batch that leads is under way
    std::list<batch> batches_;
};

} // namespace perdure
