// The untyped wait for an operation.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/detail/completion.hpp>
#include <perdure/workflow/failed.hpp>
#include <perdure/workflow/payload.hpp>

#include <cstdint>
#include <memory>

namespace perdure::detail {

class operation_state;

class PERDURE_DECL operation_wait : public completion_wait
{
public:
    explicit operation_wait(std::shared_ptr<operation_state> operation) noexcept;
    ~operation_wait() override;

    std::uint64_t completed() const noexcept final;
    bool interrupted_by_scope() const noexcept final;

    /// Once it is over: whether there is a failure instead of a value.
    bool has_failed() const noexcept;

    /// The value; there must be one.
    const payload& value() const noexcept;

    /// The failure, a cancellation included, as the exception that is thrown for it; there must be
    /// one.
    std::shared_ptr<const failed> failure() const;

    /// Throws the error again, with the operation's name before its sentence.
    [[noreturn]] void rethrow_named(const error& refused) const;

private:
    bool start(cancel_scope& scope) final;
    bool cancel() final;
    bool abandon() final;
    void withdraw_awaited() final;

    std::shared_ptr<operation_state> operation_;
};

} // namespace perdure::detail
