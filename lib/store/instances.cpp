#include <perdure/store/instances.hpp>

#include <array>

namespace perdure::store {

namespace {

constexpr std::array<std::string_view, 4> names{"running", "completed", "failed", "cancelled"};

} // namespace

std::string_view to_string(instance_status status) noexcept
{
    return names[static_cast<std::size_t>(status)];
}

std::optional<instance_status> parse_instance_status(std::string_view name) noexcept
{
    for (std::size_t i = 0; i < names.size(); ++i)
        if (names[i] == name) return static_cast<instance_status>(i);
    return std::nullopt;
}

} // namespace perdure::store
