#include <perdure/pg/statement.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <utility>

namespace perdure::pg {

namespace {

/// FNV-1a, 64 bits: the same in every process, so that server logs of two workers can be compared.
std::uint64_t hash(std::string_view text) noexcept
{
    std::uint64_t value = 14695981039346656037ull;
    for (const char c : text) {
        value ^= static_cast<unsigned char>(c);
        value *= 1099511628211ull;
    }
    return value;
}

std::string name_of(std::string_view sql)
{
    std::array<char, 16> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), hash(sql), 16).ptr;
    return "perdure_" + std::string{digits.data(), end};
}

/// Text that only looks like a parameter is taken for one: what is refused for having too many
/// arguments has too many.
std::size_t highest_parameter_of(std::string_view sql) noexcept
{
    std::size_t highest = 0;
    for (auto at = sql.find('$'); at != std::string_view::npos; at = sql.find('$', at + 1)) {
        std::size_t number = 0;
        const auto parsed = std::from_chars(sql.data() + at + 1, sql.data() + sql.size(), number);
        if (parsed.ec == std::errc{}) highest = std::max(highest, number);
    }
    return highest;
}

} // namespace

statement::statement(std::string sql)
{
    auto made = std::make_shared<data>();
    made->name = name_of(sql);
    made->highest_parameter = highest_parameter_of(sql);
    made->sql = std::move(sql);
    data_ = std::move(made);
}

} // namespace perdure::pg
