#include <perdure/pg/statement.hpp>

#include <array>
#include <charconv>
#include <cstdint>
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

} // namespace

statement::statement(std::string sql)
{
    auto made = std::make_shared<data>();
    made->name = name_of(sql);
    made->sql = std::move(sql);
    data_ = std::move(made);
}

} // namespace perdure::pg
