// Names in SQL text: quoting, and the one substitution that SQL files know, the schema's name.
#pragma once

#include <perdure/config.hpp>
#include <perdure/pg/statement.hpp>

#include <string>
#include <string_view>

namespace perdure::pg {

/// Quotes a name for use as an identifier: `order` becomes `"order"`, quotes inside are doubled.
/// Throws `error` with errc::bad_value when the name is empty, longer than 63 bytes (the server
/// would cut it) or contains a zero byte.
PERDURE_DECL std::string quote_identifier(std::string_view name);

/// Quotes a text as a literal: `it's` becomes `'it''s'`; with backslashes `E'…'`. Throws `error`
/// with errc::bad_value when it contains a zero byte.
PERDURE_DECL std::string quote_literal(std::string_view text);

/// Replaces each `{schema}` in `text` by the schema's name as a quoted identifier, and each
/// `{schema:literal}` by the name as a quoted literal. Throws as `quote_identifier` does.
PERDURE_DECL std::string substitute_schema(std::string_view text, std::string_view schema);

/// The statement that a SQL file holds: `substitute_schema`, then leading comment lines,
/// surrounding white space and one final semicolon are removed.
PERDURE_DECL statement load_statement(std::string_view text, std::string_view schema);

} // namespace perdure::pg
