// How a caller hears of the items of a batch one by one.
#pragma once

#include <cstddef>
#include <functional>

namespace perdure::store {

/** Hears what came of a batch's items, each as soon as it is known, so that an item that somebody
 *  else has locked does not hold up the answers of the others.
 *
 *  Both are called on the store's executor, while the operation that they were given to is under
 *  way; neither may throw. An operation that throws leaves unanswered the items that it throws for.
 */
template <class Outcome>
struct answers
{
    /// What came of the item at this place of the batch. Called once for each item. Not empty.
    std::function<void(std::size_t item, Outcome outcome)> answer;
    /// All items that are not answered wait for locks that others hold: another batch need not wait
    /// for this one. May be called several times. May be empty.
    std::function<void()> held_up;
};

} // namespace perdure::store
