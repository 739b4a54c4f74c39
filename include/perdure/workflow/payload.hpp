// What travels and is stored: one encoded value. The library moves payloads about and never looks
// into them; only the two ends, where the types are known, encode and decode.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perdure {

/// Octets. As part of an argument or a result they are written as base64 text.
using bytes = std::vector<std::byte>;

/** An encoded value: UTF-8 JSON text, or, when its first byte is 0, the output of a codec.
 *
 *  An owning, regular value type, compared byte by byte. Holds what it is given: text is checked
 * when it is decoded, or on request by \ref check_json. A default-constructed payload is empty,
 * which is no JSON value; it stands for "there is none".
 */
class payload
{
public:
    /// No value.
    payload() noexcept = default;

    /// Takes over JSON text (UTF-8). The text is not checked.
    static payload from_text(std::string text) noexcept
    {
        payload result;
        result.octets_ = std::move(text);
        return result;
    }

    /// Copies the bytes as they were stored: JSON text or a codec's output. They are not checked.
    static payload from_bytes(std::span<const std::byte> stored)
    {
        payload result;
        result.octets_.assign(reinterpret_cast<const char*>(stored.data()), stored.size());
        return result;
    }

    /// The first byte; valid until the payload is changed or destroyed.
    const std::byte* data() const noexcept
    {
        return reinterpret_cast<const std::byte*>(octets_.data());
    }

    /// The number of bytes.
    std::size_t size() const noexcept { return octets_.size(); }

    /// Whether there is no value at all (JSON `null` is a value).
    bool empty() const noexcept { return octets_.empty(); }

    /// All bytes; valid until the payload is changed or destroyed.
    std::span<const std::byte> span() const noexcept { return {data(), size()}; }

    /// The same bytes as characters: the JSON text, unless \ref coded.
    std::string_view text() const noexcept { return octets_; }

    /// Whether a codec made these bytes, so that they are no JSON text.
    bool coded() const noexcept { return !octets_.empty() && octets_.front() == '\0'; }

    /// Equal when all bytes are. Two spellings of one JSON value are different payloads.
    friend bool operator==(const payload&, const payload&) noexcept = default;

private:
    std::string octets_;
};

} // namespace perdure
