// The arguments of one statement, encoded when they are added, so that nothing they refer to need
// outlive the call.
#pragma once

#include <perdure/config.hpp>
#include <perdure/pg/value.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

namespace perdure::pg {

/// Arguments `$1`, `$2` … of a statement. Supported types, and what they are in SQL:
/// `bool` (boolean) · signed integers of 2, 4, 8 bytes (int2, int4, int8) · enumerations (their
/// integer) · `double` (float8) · `std::string`, `std::string_view`, literals (text) · `bytes`,
/// `std::span<const std::byte>` (bytea) · `timestamp` (timestamptz) · `std::chrono::milliseconds`
/// (int8) · `boost::uuids::uuid` (uuid) · `std::optional<T>` (T or null) · `std::vector<T>`,
/// `std::span<const T>` (one-dimensional array; elements may be optional).
class PERDURE_DECL parameters
{
public:
    /// Where an argument lies: its type and its bytes in `data()`; a length of -1 is null.
    struct entry
    {
        oid type = oid::none;
        std::size_t offset = 0;
        std::int32_t length = -1;
    };

    /// Encodes an argument. Throws `error` with errc::bad_value when it is longer than 1 GB.
    template <class T>
    void add(const T& value)
    {
        if constexpr (detail::is_optional<T>) {
            if (value)
                add(*value);
            else
                add_null(type_of<typename T::value_type>());
        } else {
            const std::size_t offset = data_.size();
            using codec = codec_for<T>;
            codec::write(data_, value);
            finish(codec::type, offset);
        }
    }

    /// Adds a null of a type.
    void add_null(oid type) { entries_.push_back({type, 0, -1}); }

    const std::vector<entry>& entries() const noexcept { return entries_; }
    const bytes& data() const noexcept { return data_; }

private:
    template <class T>
    static constexpr auto select_codec()
    {
        if constexpr (
            std::convertible_to<const T&, std::string_view> && !std::same_as<T, std::string>) {
            return detail::codec<std::string_view>{};
        } else {
            static_assert(
                !std::unsigned_integral<T> || std::same_as<T, bool>,
                "PostgreSQL has no unsigned integers: cast the argument to a signed type");
            static_assert(
                detail::sendable<T>,
                "this type cannot be an argument of a statement: see perdure::pg::parameters");
            return detail::codec<T>{};
        }
    }

    template <class T>
    using codec_for = decltype(select_codec<T>());

    template <class T>
    static constexpr oid type_of()
    {
        return codec_for<T>::type;
    }

    void finish(oid type, std::size_t offset);

    std::vector<entry> entries_;
    bytes data_;
};

} // namespace perdure::pg
