#include <perdure/pg/result.hpp>

#include <perdure/pg/error.hpp>

#include <libpq-fe.h>

#include <charconv>
#include <string>
#include <utility>

namespace perdure::pg {

namespace {

// libpq takes PGresult without const in functions that only read.
PGresult* raw(const std::shared_ptr<const pg_result>& rows) noexcept
{
    return const_cast<PGresult*>(rows.get());
}

std::string describe_column(const result& r, std::size_t column)
{
    return "column " + std::to_string(column) + " (\"" + std::string{r.column_name(column)} + "\")";
}

} // namespace

std::size_t result::size() const noexcept
{
    return rows_ ? static_cast<std::size_t>(PQntuples(raw(rows_))) : 0;
}

std::size_t result::columns() const noexcept
{
    return rows_ ? static_cast<std::size_t>(PQnfields(raw(rows_))) : 0;
}

std::string_view result::column_name(std::size_t column) const noexcept
{
    if (column >= columns()) return {};
    return PQfname(raw(rows_), static_cast<int>(column));
}

oid result::column_type(std::size_t column) const noexcept
{
    if (column >= columns()) return oid::none;
    return static_cast<oid>(PQftype(raw(rows_), static_cast<int>(column)));
}

std::int64_t result::affected() const noexcept
{
    if (!rows_) return 0;
    const std::string_view text = PQcmdTuples(raw(rows_));
    std::int64_t count = 0;
    std::from_chars(text.data(), text.data() + text.size(), count);
    return count;
}

std::string_view result::command() const noexcept
{
    return rows_ ? PQcmdStatus(raw(rows_)) : std::string_view{};
}

bool result::is_null(std::size_t row, std::size_t column) const
{
    check_column_exists(column);
    if (row >= size())
        throw error{
            errc::bad_value,
            "row " + std::to_string(row) + " was asked for; there are " + std::to_string(size())};
    return PQgetisnull(raw(rows_), static_cast<int>(row), static_cast<int>(column)) != 0;
}

std::span<const std::byte> result::field(std::size_t row, std::size_t column) const noexcept
{
    const int r = static_cast<int>(row);
    const int c = static_cast<int>(column);
    return std::as_bytes(std::span{
        PQgetvalue(raw(rows_), r, c), static_cast<std::size_t>(PQgetlength(raw(rows_), r, c))});
}

void result::check_column_count(std::size_t expected) const
{
    if (columns() != expected)
        throw error{
            errc::bad_value, "the statement returned " + std::to_string(columns()) + " columns; " +
                                 std::to_string(expected) + " are expected"};
}

void result::check_column_exists(std::size_t column) const
{
    if (column >= columns())
        throw error{
            errc::bad_value, "column " + std::to_string(column) + " was asked for; there are " +
                                 std::to_string(columns())};
}

void result::throw_wrong_type(std::size_t column, oid wanted) const
{
    std::string text = describe_column(*this, column) + " is " + to_string(column_type(column)) +
                       "; " + to_string(wanted) + " is expected";
    if (!detail::is_known(column_type(column)))
        text += ": cast it in the statement, " + std::string{column_name(column)} +
                "::" + to_string(wanted);
    throw error{errc::bad_value, std::move(text)};
}

void result::throw_null(std::size_t row, std::size_t column) const
{
    throw error{
        errc::bad_value, describe_column(*this, column) + " is null in row " + std::to_string(row) +
                             "; read it as an optional"};
}

void result::throw_unreadable(std::size_t row, std::size_t column, std::string_view reason) const
{
    throw error{
        errc::bad_value, describe_column(*this, column) + ", row " + std::to_string(row) + ": " +
                             std::string{reason}};
}

} // namespace perdure::pg
