#include "advice.hpp"

#include <perdure/pg/error.hpp>
#include <perdure/workflow/defaults.hpp>

#include <string_view>
#include <utility>

namespace perdure::tool {

namespace {

bool has_password(const std::string& dsn)
{
    if (dsn.find("password") != std::string::npos) return true;
    const auto scheme = dsn.find("://");
    if (scheme == std::string::npos) return false;
    const auto host = dsn.find('@', scheme + 3);
    return host != std::string::npos && dsn.find(':', scheme + 3) < host;
}

std::string migrate_command(const target& where)
{
    std::string command = "perdure migrate";
    if (where.dsn_as_argument)
        command += " --dsn " + (has_password(where.dsn) ? std::string{"…"} : quote(where.dsn));
    if (where.schema != defaults::schema) command += " --schema " + quote(where.schema);
    return command;
}

/// libpq breaks the line before its question.
std::string separate_question(std::string text)
{
    constexpr std::string_view question = " Is the server running";
    const auto at = text.find(question);
    if (at != std::string::npos && at > 0 && text[at - 1] != '.') text.insert(at, ".");
    return text;
}

} // namespace

std::string quote(const std::string& word)
{
    std::string quoted = "'";
    for (const char c : word) {
        if (c == '\'')
            quoted += "'\\''";
        else
            quoted += c;
    }
    return quoted + "'";
}

std::string sentence_of(const std::exception& failure, const target& where)
{
    std::string text = failure.what();
    const auto* const database = dynamic_cast<const pg::error*>(&failure);
    if (!database) return text;
    if (database->code() == pg::errc::schema_missing) {
        const auto advice = text.rfind("run `");
        if (advice != std::string::npos)
            text.replace(advice, std::string::npos, "run `" + migrate_command(where) + "`");
    } else if (database->code() == pg::errc::connect_failed) {
        text = separate_question(std::move(text));
        if (where.dsn.empty()) {
            if (!text.ends_with('?') && !text.ends_with('.')) text += ';';
            text += " name a database with --dsn or PERDURE_DSN";
        }
    }
    return text;
}

} // namespace perdure::tool
