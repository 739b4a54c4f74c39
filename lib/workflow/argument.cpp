#include <perdure/workflow/argument.hpp>

#include <perdure/workflow/checks.hpp>
#include <perdure/workflow/error.hpp>

namespace perdure::detail {

namespace {

std::string whose(std::string_view what, std::string_view name)
{
    return std::string(what) + " " + std::string(name);
}

} // namespace

encoded_argument encode_argument(const void* value, void (*write)(payload_writer&, const void*))
{
    payload_writer to;
    try {
        write(to, value);
    } catch (const error& problem) {
        return {std::string(), problem.what()};
    }
    return {to.take(), std::string()};
}

payload join_arguments(
    std::string_view what, std::string_view name, std::span<encoded_argument* const> arguments)
{
    payload_writer to;
    to.begin_array();
    for (std::size_t i = 0; i != arguments.size(); ++i) {
        if (!arguments[i]->problem().empty()) {
            throw error(
                errc::malformed_payload, whose(what, name) + ": argument " + std::to_string(i + 1) +
                                             ": " + arguments[i]->problem());
        }
        to.raw(arguments[i]->text());
    }
    to.end_array();
    payload joined = payload::from_text(to.take());
    check_payload("the arguments of " + whose(what, name), joined);
    return joined;
}

payload single_argument(std::string_view what, std::string_view name, encoded_argument& argument)
{
    if (!argument.problem().empty()) {
        throw error(errc::malformed_payload, whose(what, name) + ": " + argument.problem());
    }
    payload data = payload::from_text(std::move(argument.text()));
    check_payload("the value of " + whose(what, name), data);
    return data;
}

} // namespace perdure::detail
