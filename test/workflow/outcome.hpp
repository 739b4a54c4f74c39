// What a run came to, for tests whose workflow is shop::text.
#pragma once

#include "instance.hpp"
#include "shop.hpp"

namespace perdure {

/// An instance of shop::text with this code.
template <class F>
instance text_instance(F code)
{
    return instance(implement(shop::text, code), shop::text());
}

/// The text a run returned, or the description of its failure.
inline std::string result_of(const decision& last)
{
    REQUIRE(last.finish);
    return last.finish->kind == finish::kind::completed
               ? decode<std::string>(last.finish->data)
               : describe(decode_failure(last.finish->data));
}

/// Only the commands of a decision, as lines.
inline std::vector<std::string> commands(const decision& made)
{
    std::vector<std::string> lines;
    for (const event& each : made.events) {
        if (is_command(each.type)) lines.push_back(describe(each));
    }
    return lines;
}

} // namespace perdure
