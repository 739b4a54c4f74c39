// Live coroutines of instances between their tasks, so that the next event need not replay the
// history.
#pragma once

#include <perdure/store/types.hpp>
#include <perdure/workflow/replayer.hpp>

#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>

namespace perdure {

/// The least recently used instances are evicted beyond `capacity`. An entry is good only for the
/// task that follows the commit whose token it carries: equal length is not equal history.
class instance_cache
{
public:
    explicit instance_cache(std::size_t capacity) : capacity_{capacity} {}

    /// Takes the instance out, if it is here and stands exactly at the commit with this token; one
    /// that stands elsewhere is evicted. It is put back only after its next commit was confirmed.
    std::unique_ptr<replayer> take(store::instance_key instance, store::claim_token last_confirmed)
    {
        const auto found = index_.find(instance);
        if (found == index_.end()) return nullptr;
        std::unique_ptr<replayer> taken;
        if (found->second->token == last_confirmed) taken = std::move(found->second->live);
        entries_.erase(found->second);
        index_.erase(found);
        return taken;
    }

    /// Of the commit at which the instance stands; nothing: it is not here.
    std::optional<store::claim_token> token_of(store::instance_key instance) const
    {
        const auto found = index_.find(instance);
        if (found == index_.end()) return std::nullopt;
        return found->second->token;
    }

    /// Keeps the instance, which stands at the confirmed commit with this token.
    void put(
        store::instance_key instance, store::claim_token confirmed, std::unique_ptr<replayer> live)
    {
        if (capacity_ == 0) return;
        take(instance, store::claim_token{});
        entries_.push_front(entry{instance, confirmed, std::move(live)});
        index_[instance] = entries_.begin();
        if (entries_.size() <= capacity_) return;
        index_.erase(entries_.back().instance);
        entries_.pop_back();
    }

    void clear()
    {
        index_.clear();
        entries_.clear();
    }

    std::size_t size() const noexcept { return entries_.size(); }

private:
    struct entry
    {
        store::instance_key instance;
        store::claim_token token;
        std::unique_ptr<replayer> live;
    };

    std::size_t capacity_;
    std::list<entry> entries_; // most recently used first
    std::unordered_map<store::instance_key, std::list<entry>::iterator> index_;
};

} // namespace perdure
