#include "base64.hpp"

#include <cstdint>

namespace perdure::detail {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

} // namespace

void append_base64(std::string& text, std::span<const std::byte> octets)
{
    text.reserve(text.size() + (octets.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < octets.size(); at += 3) {
        const std::size_t count = std::min<std::size_t>(3, octets.size() - at);
        std::uint32_t group = 0;
        for (std::size_t i = 0; i != 3; ++i) {
            group = group << 8 | (i < count ? std::to_integer<std::uint32_t>(octets[at + i]) : 0U);
        }
        for (std::size_t i = 0; i != 4; ++i) {
            text += i <= count ? alphabet[group >> (18 - 6 * i) & 63U] : '=';
        }
    }
}

std::optional<bytes> parse_base64(std::string_view text)
{
    if (text.size() % 4 != 0) return std::nullopt;
    bytes octets;
    octets.reserve(text.size() / 4 * 3);
    for (std::size_t at = 0; at != text.size(); at += 4) {
        const bool last = at + 4 == text.size();
        const std::size_t padding = !last                 ? 0
                                    : text[at + 2] == '=' ? 2
                                    : text[at + 3] == '=' ? 1
                                                          : 0;
        std::uint32_t group = 0;
        for (std::size_t i = 0; i != 4; ++i) {
            const bool padded = i >= 4 - padding;
            const std::size_t digit = padded ? 0 : alphabet.find(text[at + i]);
            if (digit == std::string_view::npos || (padded && text[at + i] != '='))
                return std::nullopt;
            group = group << 6 | static_cast<std::uint32_t>(digit);
        }
        const std::size_t count = 3 - padding;
        if ((group & ((1U << (8 * padding)) - 1)) != 0)
            return std::nullopt; // bits that stand for nothing
        for (std::size_t i = 0; i != count; ++i) {
            octets.push_back(static_cast<std::byte>(group >> (16 - 8 * i) & 0xffU));
        }
    }
    return octets;
}

} // namespace perdure::detail
