// Definition of a signal: a value that is sent to an instance while it lives.
#pragma once

#include <perdure/workflow/argument.hpp>
#include <perdure/workflow/fixed_string.hpp>
#include <perdure/workflow/payload.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace perdure {

/// A signal to send: its name and encoded value.
class [[nodiscard("a signal does nothing until it is sent")]] signal_call
{
public:
    /// \param name the signal's durable name.
    /// \param data one JSON value.
    signal_call(std::string_view name, payload data) : name_(name), data_(std::move(data)) {}

    const std::string& name() const noexcept { return name_; }
    const payload& data() const noexcept { return data_; }

private:
    std::string name_;
    payload data_;
};

/// A constant that carries a signal's durable name and the type of its value:
/// `inline constexpr perdure::signal<"approve", bool> approve;`
///
/// Signals wait in the instance, in order, until its workflow receives them. Calling the definition
/// encodes the value.
template <fixed_string Name, class T = void>
class signal
{
    static_assert(
        detail::is_durable_name(Name.view()),
        "perdure: a signal's name is 1 to 100 of the characters A-Z a-z 0-9 - _ . /");
    static_assert(
        std::is_same_v<T, std::remove_cvref_t<T>>,
        "perdure: the type of a signal is a value, without a reference");

public:
    using value_type = T;

    /// The durable name.
    static constexpr std::string_view name() noexcept { return Name.view(); }

    /// A signal with this value.
    /// \throws error errc::malformed_payload when it cannot be encoded, errc::payload_too_large.
    signal_call operator()(arg<T> value) const
    {
        return signal_call(name(), detail::single_argument("signal", name(), value));
    }
};

/// A signal without a value.
template <fixed_string Name>
class signal<Name, void>
{
    static_assert(
        detail::is_durable_name(Name.view()),
        "perdure: a signal's name is 1 to 100 of the characters A-Z a-z 0-9 - _ . /");

public:
    using value_type = void;

    /// The durable name.
    static constexpr std::string_view name() noexcept { return Name.view(); }

    /// The signal, its value null.
    signal_call operator()() const { return signal_call(name(), payload::from_text("null")); }
};

} // namespace perdure
