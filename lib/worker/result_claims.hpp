// Eager dispatch of workflow tasks: who brings an activity's result goes on with the workflow.
#pragma once

#include <worker/instance_cache.hpp>
#include <worker/slots.hpp>

#include <perdure/store/completions.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace perdure {

/// Lets results claim the workflow tasks that they wake, where the live coroutine is here. Each holds a
/// slot until it is stored, which takes as long as somebody has its instance locked: so there is one
/// at a time of each instance, and of all together no more than half of the slots.
class result_claims
{
public:
    /// The slot of a task that is claimed along with a result; nothing: none is.
    using slot = std::shared_ptr<slots::slot>;
    /// How many tasks of a queue may take slots.
    using room_function = std::function<std::size_t(std::string_view queue)>;

    /// \param self who claims.
    result_claims(std::shared_ptr<slots> of, std::chrono::milliseconds lease, store::member_id self)
        : slots_{std::move(of)}, lease_{lease}, self_{self}
    {}

    /// Adds claims to results that are about to be stored. \returns what is kept for each of them.
    std::vector<slot> add(
        std::vector<store::activity_completion>& results, const instance_cache& cache,
        const room_function& room)
    {
        std::erase_if(under_way_, [](const auto& each) { return each.second.expired(); });
        std::vector<slot> kept(results.size());
        for (std::size_t i = 0; i < results.size(); ++i) {
            store::activity_completion& each = results[i];
            if (!each.is_result() || each.holder != self_) continue;
            const auto live = cache.token_of(each.instance);
            if (!live || under_way_.contains(each.instance)) continue;
            if (under_way_.size() >= slots_->half() || room(each.workflow_queue) == 0) continue;
            each.eager.emplace();
            each.eager->token = store::draw_token();
            each.eager->live = *live;
            each.eager->lease = lease_;
            kept[i] = std::make_shared<slots::slot>(slots_->take());
            under_way_[each.instance] = kept[i];
        }
        return kept;
    }

private:
    std::shared_ptr<slots> slots_;
    std::chrono::milliseconds lease_;
    store::member_id self_;
    std::map<store::instance_key, std::weak_ptr<slots::slot>> under_way_;
};

} // namespace perdure
