// Definition of a failure: an error that is part of what an activity or a workflow promises, with a
// name that lasts and fields that its callers can read.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/encode.hpp>
#include <perdure/workflow/failed.hpp>
#include <perdure/workflow/failure_info.hpp>
#include <perdure/workflow/fixed_string.hpp>

#include <string>
#include <string_view>
#include <type_traits>

namespace perdure {

namespace detail {

/// The failure info of a declared failure; its message is the details' text, if there are any.
PERDURE_DECL failure_info declared_failure(std::string_view name, payload details);

} // namespace detail

/// A constant that carries a failure's durable name and the type of its fields:
/// `inline constexpr perdure::failure<"card-declined", declined> card_declined;`
///
/// Thrown as `throw shop::card_declined(shop::declined{"over the limit"});`, seen by whoever awaits
/// the activity or workflow through failed::is, failed::failed_as and result::failed_as.
template <fixed_string Name, class T = void>
class failure
{
    static_assert(
        detail::is_durable_name(Name.view()),
        "perdure: a failure's name is 1 to 100 of the characters A-Z a-z 0-9 - _ . /");
    static_assert(
        payload_type<T>, "perdure: the type of a failure's fields cannot be encoded; describe it "
                         "with BOOST_DESCRIBE_STRUCT");

public:
    using details_type = T;

    /// The durable name.
    static constexpr std::string_view name() noexcept { return Name.view(); }

    /// The exception to throw.
    /// \throws error errc::malformed_payload when the fields cannot be encoded.
    [[nodiscard("a failure does nothing until it is thrown")]]
    application_failure operator()(const T& details) const
    {
        return application_failure(detail::declared_failure(name(), encode(details)));
    }

    /// The fields of a recorded failure of this name.
    /// \throws error errc::malformed_payload when they are not of this type.
    static T details(const failure_info& recorded) { return decode<T>(recorded.details); }
};

/// A failure without fields.
template <fixed_string Name>
class failure<Name, void>
{
    static_assert(
        detail::is_durable_name(Name.view()),
        "perdure: a failure's name is 1 to 100 of the characters A-Z a-z 0-9 - _ . /");

public:
    using details_type = std::monostate;

    /// The durable name.
    static constexpr std::string_view name() noexcept { return Name.view(); }

    /// The exception to throw.
    [[nodiscard("a failure does nothing until it is thrown")]]
    application_failure operator()() const
    {
        return application_failure(detail::declared_failure(name(), payload()));
    }

    /// Nothing.
    static std::monostate details(const failure_info&) { return {}; }
};

} // namespace perdure
