// JSON text to a value, exactly: Boost.JSON's parser, but with doubles that are rounded correctly.
#pragma once

#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <string_view>

namespace perdure::detail {

/// What came of parsing: a value, or what is wrong with the text and where.
struct parsed_json
{
    boost::json::value value;
    boost::system::error_code problem;
    std::size_t position = 0;
};

/// Parses one JSON value (RFC 8259, UTF-8) that fills the whole text. Integers that fit into 64
/// bits are kept as integers; nesting is limited by defaults::maximum_depth. Of members of the same
/// name the last one counts.
parsed_json parse_json(std::string_view text);

} // namespace perdure::detail
