#include <perdure/workflow/encode.hpp>

#include <perdure/workflow/error.hpp>

namespace perdure::detail {

payload_document parse_arguments(
    const payload& from, std::string_view what, std::string_view signature)
{
    try {
        return payload_document(from);
    } catch (const error& problem) {
        throw error(
            errc::malformed_payload,
            std::string(what) + ": expected " + std::string(signature) + "; " + problem.what());
    }
}

void check_arguments(
    std::string_view what, std::string_view signature, const payload_reader& arguments,
    std::size_t required, std::size_t count)
{
    bool fits = false;
    try {
        const std::size_t size = arguments.array_size();
        fits = size >= required && size <= count;
    } catch (const error&) {
        // no array at all: said below
    }
    if (fits) return;
    throw error(
        errc::malformed_payload, std::string(what) + ": expected " + std::string(signature) +
                                     ", found " + arguments.describe());
}

void rethrow_argument_error(std::string_view what, std::string_view signature, std::size_t index)
{
    try {
        throw;
    } catch (const error& problem) {
        throw error(
            errc::malformed_payload, std::string(what) + ": expected " + std::string(signature) +
                                         "; argument " + std::to_string(index + 1) + ": " +
                                         problem.what());
    }
}

} // namespace perdure::detail
