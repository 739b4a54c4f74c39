#include <perdure/pg/migrator.hpp>

#include <array>
#include <charconv>

namespace perdure::pg {

library_version::library_version(std::string_view text)
{
    std::array<std::int32_t*, 3> parts{&major_, &minor_, &patch_};
    const char* at = text.data();
    const char* const end = at + text.size();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto [next, problem] = std::from_chars(at, end, *parts[i]);
        const bool is_number = problem == std::errc{} && *parts[i] >= 0;
        if (is_number && next == end) return;
        if (!is_number || *next != '.') break;
        at = next + 1;
    }
    throw error{
        errc::bad_value, "\"" + std::string{text} + "\" is not a version; 1.2.3 would be one"};
}

std::string library_version::to_string() const
{
    return std::to_string(major_) + "." + std::to_string(minor_) + "." + std::to_string(patch_);
}

} // namespace perdure::pg
