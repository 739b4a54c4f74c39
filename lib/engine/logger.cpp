#include <perdure/engine/logger.hpp>

#include <cstdio>

namespace perdure {

namespace {

/// A value as one word.
std::string quoted(const std::string& value)
{
    if (!value.empty() && value.find_first_of(" \"\n\t") == std::string::npos) return value;
    std::string text = "\"";
    for (const char each : value) {
        if (each == '\n')
            text += "\\n";
        else if (each == '"' || each == '\\')
            text.append(1, '\\').append(1, each);
        else
            text += each;
    }
    return text + "\"";
}

} // namespace

std::string_view to_string(log_level level) noexcept
{
    switch (level) {
    case log_level::debug: return "debug";
    case log_level::info: return "info";
    case log_level::warning: return "warning";
    case log_level::error: return "error";
    }
    return "unknown";
}

logger stderr_logger(log_level least)
{
    return [least](log_level level, std::string_view message, std::span<const log_field> fields) {
        if (level < least) return;
        std::string line{to_string(level)};
        line.append(" ").append(message);
        for (const log_field& field : fields)
            line.append(" ").append(field.name).append("=").append(quoted(field.value));
        line.append("\n");
        std::fputs(line.c_str(), stderr); // one call, so that lines of several processes do not mix
    };
}

} // namespace perdure
