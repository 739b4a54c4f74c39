#include <perdure/pg/pipeline.hpp>

#include <limits>
#include <stdexcept>
#include <string>

namespace perdure::pg {

namespace {

const statement& begin_statement()
{
    static const statement instance{"begin isolation level read committed"};
    return instance;
}

const statement& commit_statement()
{
    static const statement instance{"commit"};
    return instance;
}

} // namespace

std::size_t pipeline::add_encoded(const statement& s, parameters encoded)
{
    constexpr std::size_t most = std::numeric_limits<std::uint16_t>::max(); // of the protocol
    if (encoded.entries().size() > most)
        throw error{
            errc::bad_value, "a statement takes at most 65,535 arguments; this one has " +
                                 std::to_string(encoded.entries().size())};
    // The server ignores what is too much; with too little it says so itself.
    if (encoded.entries().size() > s.highest_parameter())
        throw error{
            errc::bad_value,
            "the statement takes at most " + std::to_string(s.highest_parameter()) +
                " arguments; it was given " + std::to_string(encoded.entries().size())};
    items_.push_back(item{s, std::move(encoded)});
    return items_.size() - 1;
}

std::size_t pipeline::begin()
{
    if (items_.empty()) begins_ = true;
    return add_encoded(begin_statement(), parameters{});
}

std::size_t pipeline::commit()
{
    if (commit_) throw std::logic_error{"a pipeline holds at most one commit"};
    commit_ = add_encoded(commit_statement(), parameters{});
    return *commit_;
}

} // namespace perdure::pg
