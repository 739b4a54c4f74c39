#include <perdure/workflow/checks.hpp>

#include "json_parser.hpp"
#include "utf8.hpp"

#include <perdure/workflow/defaults.hpp>
#include <perdure/workflow/error.hpp>
#include <perdure/workflow/fixed_string.hpp>

#include <algorithm>
#include <string>

namespace perdure {

namespace {

/// A text that may be long or hold anything, for a message.
std::string shown(std::string_view text)
{
    constexpr std::size_t most = 60;
    std::string result = "\"";
    for (const char c : text.substr(0, most)) {
        const auto byte = static_cast<unsigned char>(c);
        result += byte < 0x20 || byte >= 0x7f ? '?' : c;
    }
    return result + (text.size() > most ? "...\"" : "\"");
}

[[noreturn]] void refuse(std::string_view what, std::string_view value, std::string_view why)
{
    throw error(
        errc::invalid_argument, std::string(what) + " " + shown(value) + " " + std::string(why));
}

} // namespace

void check_id(std::string_view id)
{
    if (id.empty()) throw error(errc::invalid_argument, "an instance's id must not be empty");
    if (id.size() > defaults::maximum_id) {
        refuse(
            "the id", id,
            "is " + std::to_string(id.size()) + " bytes long; the limit is " +
                std::to_string(defaults::maximum_id));
    }
    if (detail::valid_utf8_prefix(id) != id.size()) refuse("the id", id, "is not UTF-8");
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (std::any_of(id.begin(), id.end(), control)) refuse("the id", id, "has control characters");
}

void check_name(std::string_view what, std::string_view name)
{
    if (detail::is_durable_name(name)) return;
    refuse(
        what, name,
        "is no valid name: it must be 1 to " + std::to_string(defaults::maximum_name) +
            " of the characters A-Z a-z 0-9 - _ . /");
}

void check_payload(std::string_view what, const payload& data)
{
    if (data.size() <= defaults::maximum_payload) return;
    throw error(
        errc::payload_too_large, std::string(what) + ": " + std::to_string(data.size()) +
                                     " bytes are over the limit of " +
                                     std::to_string(defaults::maximum_payload) +
                                     "; store what is large elsewhere and pass a reference to it");
}

void check_json(std::string_view what, const payload& data)
{
    if (data.coded()) return;
    if (data.empty())
        throw error(errc::malformed_payload, std::string(what) + ": expected JSON, found nothing");
    const detail::parsed_json parsed = detail::parse_json(data.text());
    if (!parsed.problem) return;
    throw error(
        errc::malformed_payload, std::string(what) + ": expected JSON, found at byte " +
                                     std::to_string(parsed.position) + ": " +
                                     parsed.problem.message());
}

} // namespace perdure
