#include "utf8.hpp"

namespace perdure::detail {

namespace {

/// The length of the sequence that a first byte begins, and the range of the second byte; length 0:
/// no first byte.
struct lead
{
    std::size_t length;
    unsigned char second_least;
    unsigned char second_most;
};

lead classify(unsigned char byte) noexcept
{
    if (byte < 0x80) return {1, 0, 0};
    if (byte < 0xc2) return {0, 0, 0}; // a continuation, or an overlong form
    if (byte < 0xe0) return {2, 0x80, 0xbf};
    if (byte == 0xe0) return {3, 0xa0, 0xbf};
    if (byte == 0xed) return {3, 0x80, 0x9f}; // no surrogates
    if (byte < 0xf0) return {3, 0x80, 0xbf};
    if (byte == 0xf0) return {4, 0x90, 0xbf};
    if (byte < 0xf4) return {4, 0x80, 0xbf};
    if (byte == 0xf4) return {4, 0x80, 0x8f};
    return {0, 0, 0};
}

} // namespace

std::size_t valid_utf8_prefix(std::string_view text) noexcept
{
    std::size_t at = 0;
    while (at != text.size()) {
        const lead first = classify(static_cast<unsigned char>(text[at]));
        if (first.length == 0 || first.length > text.size() - at) return at;
        for (std::size_t i = 1; i != first.length; ++i) {
            const auto byte = static_cast<unsigned char>(text[at + i]);
            const unsigned char least = i == 1 ? first.second_least : 0x80;
            const unsigned char most = i == 1 ? first.second_most : 0xbf;
            if (byte < least || byte > most) return at;
        }
        at += first.length;
    }
    return at;
}

} // namespace perdure::detail
