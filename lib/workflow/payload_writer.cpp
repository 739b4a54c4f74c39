#include <perdure/workflow/payload_writer.hpp>

#include "base64.hpp"
#include "utf8.hpp"

#include <perdure/workflow/defaults.hpp>
#include <perdure/workflow/error.hpp>

#include <charconv>
#include <cmath>
#include <utility>

namespace perdure {

namespace {

template <class T>
void append_number(std::string& text, T value)
{
    char digits[32];
    const auto written = std::to_chars(digits, digits + sizeof(digits), value);
    text.append(digits, written.ptr);
}

} // namespace

void payload_writer::null()
{
    begin_value();
    text_ += "null";
}

void payload_writer::boolean(bool value)
{
    begin_value();
    text_ += value ? "true" : "false";
}

void payload_writer::integer(std::int64_t value)
{
    begin_value();
    append_number(text_, value);
}

void payload_writer::unsigned_integer(std::uint64_t value)
{
    begin_value();
    append_number(text_, value);
}

void payload_writer::number(double value)
{
    if (!std::isfinite(value)) refuse("has no form in JSON: it is an infinity or no number");
    begin_value();
    append_number(text_, value); // the shortest text that reads back as the same double
}

void payload_writer::string(std::string_view text)
{
    begin_value();
    quoted(text);
}

void payload_writer::binary(std::span<const std::byte> octets)
{
    begin_value();
    text_ += '"';
    detail::append_base64(text_, octets);
    text_ += '"';
}

void payload_writer::begin_array()
{
    begin('[', ']');
}

void payload_writer::end_array()
{
    end();
}

void payload_writer::begin_object()
{
    begin('{', '}');
}

void payload_writer::end_object()
{
    end();
}

void payload_writer::key(std::string_view name)
{
    level& object = levels_.back();
    object.key = name;
    if (object.values++ != 0) text_ += ',';
    quoted(name);
    text_ += ':';
}

void payload_writer::raw(std::string_view json)
{
    begin_value();
    text_ += json;
}

std::string payload_writer::take() noexcept
{
    levels_.clear();
    return std::exchange(text_, {});
}

void payload_writer::begin_value()
{
    if (levels_.empty() || levels_.back().closing == '}') return; // key() has made room
    if (levels_.back().values++ != 0) text_ += ',';
}

void payload_writer::begin(char opening, char closing)
{
    if (levels_.size() == defaults::maximum_depth) refuse("is nested too deep");
    begin_value();
    text_ += opening;
    levels_.push_back({closing, 0, {}});
}

void payload_writer::end()
{
    text_ += levels_.back().closing;
    levels_.pop_back();
}

void payload_writer::quoted(std::string_view text)
{
    const std::size_t valid = detail::valid_utf8_prefix(text);
    if (valid != text.size()) {
        refuse(
            "is not UTF-8, from byte " + std::to_string(valid) +
            " on; use perdure::bytes for octets");
    }
    text_ += '"';
    std::size_t done = 0;
    for (std::size_t at = 0; at != text.size(); ++at) {
        const auto c = static_cast<unsigned char>(text[at]);
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        text_ += text.substr(done, at - done);
        done = at + 1;
        constexpr std::string_view hexadecimal = "0123456789abcdef";
        switch (c) {
        case '"': text_ += "\\\""; break;
        case '\\': text_ += "\\\\"; break;
        case '\n': text_ += "\\n"; break;
        case '\r': text_ += "\\r"; break;
        case '\t': text_ += "\\t"; break;
        default:
            text_ += "\\u00";
            text_ += hexadecimal[c >> 4];
            text_ += hexadecimal[c & 15U];
        }
    }
    text_ += text.substr(done);
    text_ += '"';
}

void payload_writer::refuse(std::string_view what) const
{
    std::string path;
    for (const level& outer : levels_) {
        if (outer.closing == '}')
            path += "." + std::string(outer.key);
        else
            path += "[" + std::to_string(outer.values == 0 ? 0 : outer.values - 1) + "]";
    }
    if (path.empty()) path = "the value";
    throw error(errc::malformed_payload, path + " " + std::string(what));
}

} // namespace perdure
