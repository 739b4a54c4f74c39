#include <perdure/pg/identifier.hpp>

#include <perdure/pg/error.hpp>

#include <algorithm>

namespace perdure::pg {

namespace {

constexpr std::size_t longest_name = 63; // NAMEDATALEN - 1
constexpr std::string_view white_space = " \t\r\n";

std::string_view trim(std::string_view text)
{
    const auto first = text.find_first_not_of(white_space);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(white_space) - first + 1);
}

std::string double_quotes(std::string_view text, char quote)
{
    std::string quoted{quote};
    for (const char c : text) {
        if (c == quote) quoted += quote;
        quoted += c;
    }
    return quoted += quote;
}

void refuse_zero(std::string_view text)
{
    if (text.find('\0') != std::string_view::npos)
        throw error{errc::bad_value, "a text with a zero byte cannot stand in SQL"};
}

} // namespace

std::string quote_identifier(std::string_view name)
{
    refuse_zero(name);
    if (name.empty()) throw error{errc::bad_value, "an empty text cannot be a name in SQL"};
    if (name.size() > longest_name)
        throw error{
            errc::bad_value, "the name \"" + std::string{name} + "\" has " +
                                 std::to_string(name.size()) + " bytes; PostgreSQL keeps 63"};
    return double_quotes(name, '"');
}

std::string quote_literal(std::string_view text)
{
    refuse_zero(text);
    if (text.find('\\') == std::string_view::npos) return double_quotes(text, '\'');
    std::string escaped;
    for (const char c : text) {
        if (c == '\\') escaped += c;
        escaped += c;
    }
    return "E" + double_quotes(escaped, '\'');
}

std::string substitute_schema(std::string_view text, std::string_view schema)
{
    constexpr std::string_view identifier_mark = "{schema}";
    constexpr std::string_view literal_mark = "{schema:literal}";
    const std::string identifier = quote_identifier(schema);
    const std::string literal = quote_literal(schema);
    std::string substituted;
    while (!text.empty()) {
        if (text.starts_with(identifier_mark)) {
            substituted += identifier;
            text.remove_prefix(identifier_mark.size());
        } else if (text.starts_with(literal_mark)) {
            substituted += literal;
            text.remove_prefix(literal_mark.size());
        } else {
            const auto next = std::min(text.find('{', 1), text.size());
            substituted += text.substr(0, next);
            text.remove_prefix(next);
        }
    }
    return substituted;
}

statement load_statement(std::string_view text, std::string_view schema)
{
    std::string_view rest = trim(text);
    while (rest.starts_with("--")) {
        const auto end = rest.find('\n');
        rest = end == std::string_view::npos ? std::string_view{} : trim(rest.substr(end));
    }
    if (rest.ends_with(';')) rest = trim(rest.substr(0, rest.size() - 1));
    return statement{substitute_schema(rest, schema)};
}

} // namespace perdure::pg
