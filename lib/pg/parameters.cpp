#include <perdure/pg/parameters.hpp>

#include <perdure/pg/error.hpp>

#include <string>

namespace perdure::pg {

namespace {

/// PostgreSQL refuses longer values.
constexpr std::size_t longest_value = (std::size_t{1} << 30) - 1;

} // namespace

void parameters::finish(oid type, std::size_t offset)
{
    const std::size_t length = data_.size() - offset;
    if (length > longest_value)
        throw error{
            errc::bad_value, "argument " + std::to_string(entries_.size() + 1) + " has " +
                                 std::to_string(length) + " bytes; a value holds at most 1 GB"};
    entries_.push_back({type, offset, static_cast<std::int32_t>(length)});
}

} // namespace perdure::pg
