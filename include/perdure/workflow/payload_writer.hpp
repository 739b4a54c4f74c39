// Writes one JSON value, piece by piece: the untyped core under every conversion.
#pragma once

#include <perdure/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace perdure {

/// Builds compact JSON text. Integers are exact, doubles are written so that they read back as the
/// same double, the order of members is the order of the calls: the same value always gives the
/// same bytes.
///
/// What has no JSON form throws error (errc::malformed_payload) with the path of the value,
/// `.order.lines[3].title`; the writer is of no use then. Calls must come as JSON wants them: a key
/// before each value in an object.
class PERDURE_DECL payload_writer
{
public:
    void null();
    void boolean(bool value);
    void integer(std::int64_t value);
    void unsigned_integer(std::uint64_t value);

    /// \throws error when the value is an infinity or no number.
    void number(double value);

    /// \throws error when the text is not UTF-8. Octets that are no text go through \ref binary.
    void string(std::string_view text);

    /// Writes octets as base64 text.
    void binary(std::span<const std::byte> octets);

    /// \throws error when arrays and objects are nested too deep (defaults::maximum_depth).
    void begin_array();
    void end_array();

    /// \throws error when arrays and objects are nested too deep (defaults::maximum_depth).
    void begin_object();

    /// The name of the member whose value is written next. It must stay valid until that value is
    /// complete.
    /// \throws error when the name is not UTF-8.
    void key(std::string_view name);
    void end_object();

    /// Puts in a value that is JSON text already. It is not checked.
    void raw(std::string_view json);

    /// Hands out the text; the writer is empty afterwards.
    std::string take() noexcept;

private:
    struct level
    {
        char closing = ']';
        std::size_t values = 0; // begun so far
        std::string_view key;   // of the value being written, in an object
    };

    void begin_value();
    void begin(char opening, char closing);
    void end();
    void quoted(std::string_view text);
    [[noreturn]] void refuse(std::string_view what) const;

    std::string text_;
    std::vector<level> levels_;
};

} // namespace perdure
