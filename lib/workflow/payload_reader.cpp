#include <perdure/workflow/payload_reader.hpp>

#include "base64.hpp"
#include "json_parser.hpp"

#include <perdure/workflow/error.hpp>
#include <perdure/workflow/payload_writer.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <utility>

namespace perdure {

namespace {

namespace json = boost::json;

std::string quantity(std::string_view noun, std::size_t count)
{
    return std::string(noun) + " of " + std::to_string(count);
}

std::string kind_of(const json::value& value)
{
    switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return value.get_bool() ? "true" : "false";
    case json::kind::int64:
    case json::kind::uint64: return "an integer";
    case json::kind::double_: return "a number with a fraction or exponent";
    case json::kind::string: return "a string";
    case json::kind::array: return quantity("array", value.get_array().size());
    case json::kind::object: return quantity("object", value.get_object().size());
    }
    return "nothing";
}

void write(payload_writer& to, const json::value& value)
{
    switch (value.kind()) {
    case json::kind::null: return to.null();
    case json::kind::bool_: return to.boolean(value.get_bool());
    case json::kind::int64: return to.integer(value.get_int64());
    case json::kind::uint64: return to.unsigned_integer(value.get_uint64());
    case json::kind::double_: return to.number(value.get_double());
    case json::kind::string:
        return to.string({value.get_string().data(), value.get_string().size()});
    case json::kind::array:
        to.begin_array();
        for (const json::value& element : value.get_array()) write(to, element);
        return to.end_array();
    case json::kind::object:
        to.begin_object();
        for (const json::key_value_pair& member : value.get_object()) {
            to.key({member.key().data(), member.key().size()});
            write(to, member.value());
        }
        return to.end_object();
    }
}

} // namespace

bool payload_reader::is_null() const noexcept
{
    return value_->is_null();
}

bool payload_reader::boolean() const
{
    if (!value_->is_bool()) refuse("true or false");
    return value_->get_bool();
}

std::int64_t payload_reader::integer(std::int64_t least, std::int64_t most) const
{
    const auto range = [&] {
        return "an integer from " + std::to_string(least) + " to " + std::to_string(most);
    };
    if (!value_->is_int64()) refuse(value_->is_uint64() ? range() : "an integer");
    const std::int64_t value = value_->get_int64();
    if (value < least || value > most) refuse(range());
    return value;
}

std::uint64_t payload_reader::unsigned_integer(std::uint64_t most) const
{
    const bool negative = value_->is_int64() && value_->get_int64() < 0;
    if (!value_->is_int64() && !value_->is_uint64()) refuse("an integer");
    const std::uint64_t value = value_->is_uint64()
                                    ? value_->get_uint64()
                                    : static_cast<std::uint64_t>(value_->get_int64());
    if (negative || value > most) refuse("an integer from 0 to " + std::to_string(most));
    return value;
}

double payload_reader::number() const
{
    if (value_->is_int64()) return static_cast<double>(value_->get_int64());
    if (value_->is_uint64()) return static_cast<double>(value_->get_uint64());
    if (!value_->is_double()) refuse("a number");
    return value_->get_double();
}

std::string_view payload_reader::string() const
{
    if (!value_->is_string()) refuse("a string");
    return {value_->get_string().data(), value_->get_string().size()};
}

bytes payload_reader::binary() const
{
    if (!value_->is_string()) refuse("a string in base64");
    std::optional<bytes> octets = detail::parse_base64(string());
    if (!octets) refuse("a string in base64");
    return std::move(*octets);
}

std::size_t payload_reader::array_size() const
{
    if (!value_->is_array()) refuse("an array");
    return value_->get_array().size();
}

payload_reader payload_reader::element(std::size_t index) const
{
    return {value_->get_array()[index], this, {}, index};
}

std::size_t payload_reader::object_size() const
{
    if (!value_->is_object()) refuse("an object");
    return value_->get_object().size();
}

payload_reader payload_reader::member_at(std::size_t index) const
{
    const json::key_value_pair& member = *(value_->get_object().begin() + index);
    return {member.value(), this, {member.key().data(), member.key().size()}, index};
}

std::optional<payload_reader> payload_reader::find(std::string_view name) const
{
    if (!value_->is_object()) refuse("an object");
    const auto found = value_->get_object().find(name);
    if (found == value_->get_object().end()) return std::nullopt;
    return payload_reader(found->value(), this, {found->key().data(), found->key().size()}, 0);
}

payload_reader payload_reader::member(std::string_view name) const
{
    const std::optional<payload_reader> found = find(name);
    if (!found) {
        throw error(errc::malformed_payload, path() + "." + std::string(name) + " is missing");
    }
    return *found;
}

void payload_reader::refuse(std::string_view expectation) const
{
    std::string where = path();
    if (!where.empty()) where += ": ";
    throw error(
        errc::malformed_payload,
        where + "expected " + std::string(expectation) + ", found " + describe());
}

std::string payload_reader::describe() const
{
    return kind_of(*value_);
}

std::string payload_reader::to_text() const
{
    payload_writer to;
    write(to, *value_);
    return to.take();
}

std::string payload_reader::path() const
{
    if (parent_ == nullptr) return {};
    if (!key_.empty()) return parent_->path() + "." + std::string(key_);
    return parent_->path() + "[" + std::to_string(index_) + "]";
}

payload_document::payload_document(const payload& from)
{
    if (from.empty()) throw error(errc::malformed_payload, "expected JSON, found nothing");
    if (from.coded()) {
        throw error(errc::malformed_payload, "expected JSON, found the output of a codec");
    }
    detail::parsed_json parsed = detail::parse_json(from.text());
    if (parsed.problem) {
        throw error(
            errc::malformed_payload, "expected JSON, found at byte " +
                                         std::to_string(parsed.position) + ": " +
                                         parsed.problem.message());
    }
    value_ = std::make_unique<const boost::json::value>(std::move(parsed.value));
}

payload_document::payload_document(payload_document&&) noexcept = default;
payload_document& payload_document::operator=(payload_document&&) noexcept = default;
payload_document::~payload_document() = default;

payload_reader payload_document::root() const noexcept
{
    return {*value_, nullptr, {}, 0};
}

} // namespace perdure
