// Intrusive first-in-first-out list: the ready queue and the waiters of an operation are such
// lists, their nodes live in coroutine frames, so that parking and waking neither allocate nor
// fail.
#pragma once

namespace perdure::detail {

/// A node, or the head of a list. In a list, or linked to itself; leaves its list when it is
/// destroyed.
class link
{
public:
    link() noexcept = default;
    link(const link&) = delete;
    link& operator=(const link&) = delete;
    ~link() { unlink(); }

    bool linked() const noexcept { return next_ != this; }

    void unlink() noexcept
    {
        previous_->next_ = next_;
        next_->previous_ = previous_;
        next_ = previous_ = this;
    }

    /// On the head: puts a node, which must be in no list, at the end.
    void push_back(link& node) noexcept
    {
        node.previous_ = previous_;
        node.next_ = this;
        previous_->next_ = &node;
        previous_ = &node;
    }

    /// On the head: takes out the first node; null when there is none.
    link* pop_front() noexcept
    {
        if (!linked()) return nullptr;
        link* first = next_;
        first->unlink();
        return first;
    }

private:
    link* next_ = this;
    link* previous_ = this;
};

} // namespace perdure::detail
