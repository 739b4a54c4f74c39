// What a statement returned: rows of typed columns, read on demand from the received bytes.
#pragma once

#include <perdure/config.hpp>
#include <perdure/pg/value.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

struct pg_result;

namespace perdure::pg {

template <class... T>
class typed_rows;

/// The rows of a statement, or none, and the number of rows it changed. Cheap to copy; copies share
/// the rows.
class PERDURE_DECL result
{
public:
    /// A result without rows or columns.
    result() = default;

    /// Takes what libpq made.
    explicit result(std::shared_ptr<const pg_result> rows) : rows_{std::move(rows)} {}

    /// Number of rows.
    std::size_t size() const noexcept;

    /// True if there is no row.
    bool empty() const noexcept { return size() == 0; }

    /// Number of columns.
    std::size_t columns() const noexcept;

    /// A column's name; empty if there is no such column.
    std::string_view column_name(std::size_t column) const noexcept;

    /// A column's type.
    oid column_type(std::size_t column) const noexcept;

    /// Rows inserted, updated, deleted, merged or selected; 0 for other commands.
    std::int64_t affected() const noexcept;

    /// The command tag's text, as `COMMIT` or `INSERT 0 3`.
    std::string_view command() const noexcept;

    /// True if this field is null. Throws `error` with errc::bad_value when there is no such row or
    /// column.
    bool is_null(std::size_t row, std::size_t column) const;

    /// A field as T: any receivable type that `parameters` lists (not views, spans, milliseconds),
    /// or `std::optional` of it. An integer column is read into any integer type that holds the
    /// value. Throws `error` with errc::bad_value, naming the column, when there is no such field,
    /// the types differ, the value is out of range, or it is null and T is not optional.
    template <class T>
    T get(std::size_t row, std::size_t column) const
    {
        check_column<T>(column);
        return read<T>(row, column);
    }

    /// All rows as tuples: `for (auto [id, due] : r.rows<std::int64_t,
    /// std::optional<timestamp>>())`. Throws `error` with errc::bad_value when the number or types
    /// of columns differ; advancing throws it for fields as `get` does. The range shares the rows
    /// with this result.
    template <class... T>
    auto rows() const
    {
        check_column_count(sizeof...(T));
        check_columns<T...>(std::index_sequence_for<T...>{});
        return typed_rows<T...>{*this};
    }

private:
    template <class... T>
    friend class typed_rows;

    template <class T>
    struct unwrap
    {
        using type = T;
    };
    template <class T>
    struct unwrap<std::optional<T>>
    {
        using type = T;
    };

    template <class T>
    void check_column(std::size_t column) const
    {
        using value = typename unwrap<T>::type;
        static_assert(
            detail::receivable<value>,
            "this type cannot be read from a column: see perdure::pg::result::get");
        check_column_exists(column);
        if (!detail::codec<value>::accepts(column_type(column)))
            throw_wrong_type(column, detail::codec<value>::type);
    }

    template <class... T, std::size_t... I>
    void check_columns(std::index_sequence<I...>) const
    {
        (check_column<T>(I), ...);
    }

    template <class T>
    T read(std::size_t row, std::size_t column) const
    {
        using value = typename unwrap<T>::type;
        if (is_null(row, column)) {
            if constexpr (detail::is_optional<T>)
                return std::nullopt;
            else
                throw_null(row, column);
        }
        try {
            return detail::codec<value>::read(field(row, column));
        } catch (const std::exception& reason) {
            throw_unreadable(row, column, reason.what());
        }
    }

    std::span<const std::byte> field(std::size_t row, std::size_t column) const noexcept;
    void check_column_count(std::size_t expected) const;
    void check_column_exists(std::size_t column) const;
    [[noreturn]] void throw_wrong_type(std::size_t column, oid wanted) const;
    [[noreturn]] void throw_null(std::size_t row, std::size_t column) const;
    [[noreturn]] void throw_unreadable(
        std::size_t row, std::size_t column, std::string_view reason) const;

    std::shared_ptr<const pg_result> rows_;
};

/// The rows of a result as tuples; made by `result::rows`.
template <class... T>
class typed_rows
{
public:
    class iterator
    {
    public:
        using value_type = std::tuple<T...>;
        using difference_type = std::ptrdiff_t;
        using reference = value_type;
        using pointer = void;
        using iterator_category = std::input_iterator_tag;

        iterator() = default;
        iterator(const result& source, std::size_t row) : source_{source}, row_{row} {}

        value_type operator*() const { return read(std::index_sequence_for<T...>{}); }
        iterator& operator++()
        {
            ++row_;
            return *this;
        }
        iterator operator++(int)
        {
            iterator before = *this;
            ++row_;
            return before;
        }
        friend bool operator==(const iterator& a, const iterator& b) noexcept
        {
            return a.row_ == b.row_;
        }

    private:
        template <std::size_t... I>
        value_type read(std::index_sequence<I...>) const
        {
            return value_type{source_.template read<T>(row_, I)...};
        }

        result source_; // shares the rows: an iterator of a temporary range stays valid
        std::size_t row_ = 0;
    };

    explicit typed_rows(result source) : source_{std::move(source)} {}

    iterator begin() const { return {source_, 0}; }
    iterator end() const { return {source_, source_.size()}; }
    std::size_t size() const noexcept { return source_.size(); }
    bool empty() const noexcept { return source_.empty(); }

private:
    result source_;
};

} // namespace perdure::pg
