#include "json_parser.hpp"

#include <perdure/workflow/defaults.hpp>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>

#include <charconv>
#include <cmath>
#include <limits>
#include <string>

namespace perdure::detail {

namespace {

/// Builds the value. Boost 1.81 computes doubles with an error in the last digits, so their text is
/// kept and read again.
class handler
{
public:
    static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_key_size = boost::json::string::max_size();
    static constexpr std::size_t max_string_size = boost::json::string::max_size();

    using code = boost::system::error_code;
    using view = boost::json::string_view;

    boost::json::value take() { return stack_.release(); }

    bool on_document_begin(code&)
    {
        stack_.reset();
        return true;
    }
    bool on_document_end(code&) { return true; }
    bool on_object_begin(code&) { return true; }
    bool on_array_begin(code&) { return true; }
    bool on_object_end(std::size_t count, code&)
    {
        stack_.push_object(count);
        return true;
    }
    bool on_array_end(std::size_t count, code&)
    {
        stack_.push_array(count);
        return true;
    }
    bool on_key_part(view part, std::size_t, code&)
    {
        stack_.push_chars(part);
        return true;
    }
    bool on_key(view part, std::size_t, code&)
    {
        stack_.push_key(part);
        return true;
    }
    bool on_string_part(view part, std::size_t, code&)
    {
        stack_.push_chars(part);
        return true;
    }
    bool on_string(view part, std::size_t, code&)
    {
        stack_.push_string(part);
        return true;
    }
    bool on_number_part(view part, code&)
    {
        number_ += part;
        return true;
    }
    bool on_int64(std::int64_t value, view, code&)
    {
        number_.clear();
        stack_.push_int64(value);
        return true;
    }
    bool on_uint64(std::uint64_t value, view, code&)
    {
        number_.clear();
        stack_.push_uint64(value);
        return true;
    }
    bool on_double(double roughly, view part, code& problem)
    {
        number_ += part;
        double value = 0;
        const auto read = std::from_chars(number_.data(), number_.data() + number_.size(), value);
        if (read.ec == std::errc::result_out_of_range && std::abs(roughly) < 1)
            value = 0; // too small: zero
        else if (read.ec != std::errc()) {
            problem = boost::json::error::exponent_overflow;
            return false;
        }
        number_.clear();
        stack_.push_double(value);
        return true;
    }
    bool on_bool(bool value, code&)
    {
        stack_.push_bool(value);
        return true;
    }
    bool on_null(code&)
    {
        stack_.push_null();
        return true;
    }
    bool on_comment_part(view, code&) { return true; }
    bool on_comment(view, code&) { return true; }

private:
    boost::json::value_stack stack_;
    std::string number_;
};

} // namespace

parsed_json parse_json(std::string_view text)
{
    boost::json::parse_options options;
    options.max_depth = defaults::maximum_depth;
    boost::json::basic_parser<handler> parser(options);
    parsed_json result;
    result.position = parser.write_some(false, text.data(), text.size(), result.problem);
    if (result.problem) return result;
    if (result.position != text.size()) {
        result.problem = boost::json::error::extra_data;
        return result;
    }
    result.value = parser.handler().take();
    return result;
}

} // namespace perdure::detail
