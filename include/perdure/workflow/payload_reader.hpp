// Reads one JSON value: the untyped core under every conversion. It is lenient where payloads
// outlive code (unknown members are ignored) and exact where values could change (integers).
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/payload.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace boost::json {
class value;
}

namespace perdure {

/// A value inside a parsed payload, and the path that leads to it.
///
/// A cursor: cheap, not owning. It is valid as long as the \ref payload_document and the cursor it
/// came from. Every function that asks for a kind of value throws error (errc::malformed_payload)
/// when it is of another: path, what was expected and what was found, `.lines[3].price: expected an
/// integer, found a string`.
class PERDURE_DECL payload_reader
{
public:
    bool is_null() const noexcept;
    bool boolean() const;

    /// An integer between the two bounds. A number with a fraction or an exponent is none, whatever
    /// its value.
    std::int64_t integer(std::int64_t least, std::int64_t most) const;

    /// An integer from 0 to the bound.
    std::uint64_t unsigned_integer(std::uint64_t most) const;

    /// Any number; integers beyond 2^53 are rounded.
    double number() const;

    /// A string; valid as long as the document.
    std::string_view string() const;

    /// The octets of a string in base64.
    bytes binary() const;

    /// The number of elements of an array.
    std::size_t array_size() const;

    /// An element of an array; the index must be less than its size.
    payload_reader element(std::size_t index) const;

    /// The number of members of an object.
    std::size_t object_size() const;

    /// A member of an object by its position; the index must be less than its size.
    payload_reader member_at(std::size_t index) const;

    /// A member of an object by its name, if it has one.
    std::optional<payload_reader> find(std::string_view name) const;

    /// A member of an object by its name.
    /// \throws error also when the object has no such member.
    payload_reader member(std::string_view name) const;

    /// The name under which this value stands in its object; else empty. Valid as long as the
    /// document.
    std::string_view key() const noexcept { return key_; }

    /// The same value as the root of its own paths, as they appear in errors.
    payload_reader as_root() const noexcept { return {*value_, nullptr, {}, 0}; }

    /// Throws error: `<path>: expected <expectation>, found <what this is>`.
    [[noreturn]] void refuse(std::string_view expectation) const;

    /// What this value is, in words: `array of 2`, `a string`.
    std::string describe() const;

    /// Writes this value back as compact JSON text.
    std::string to_text() const;

private:
    friend class payload_document;
    payload_reader(
        const boost::json::value& value, const payload_reader* parent, std::string_view key,
        std::size_t index) noexcept
        : value_(&value), parent_(parent), key_(key), index_(index)
    {}

    std::string path() const;

    const boost::json::value* value_;
    const payload_reader* parent_; // null: the root
    std::string_view key_;         // in an object
    std::size_t index_;            // in an array
};

/// A parsed payload.
class PERDURE_DECL payload_document
{
public:
    /// Parses the text.
    /// \throws error errc::malformed_payload, with the place, when the payload is empty, a codec's
    /// output, no JSON, not UTF-8, or nested too deep (defaults::maximum_depth).
    explicit payload_document(const payload&);
    payload_document(payload_document&&) noexcept;
    payload_document& operator=(payload_document&&) noexcept;
    ~payload_document();

    /// The value itself; valid as long as this document.
    payload_reader root() const noexcept;

private:
    std::unique_ptr<const boost::json::value> value_;
};

} // namespace perdure
