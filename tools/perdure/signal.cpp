#include "commands.hpp"
#include "session.hpp"

#include <perdure/workflow/checks.hpp>
#include <perdure/workflow/error.hpp>
#include <perdure/workflow/payload.hpp>

#include <algorithm>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

namespace perdure::tool {

namespace asio = boost::asio;

namespace {

/// A text that somebody forgot to quote.
bool is_bare_word(std::string_view text) noexcept
{
    constexpr std::size_t longest = 60;
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const auto is_plain = [&](char c) {
        return is_letter(c) || (c >= '0' && c <= '9') || c == ' ' || c == '_' || c == '-';
    };
    return !text.empty() && text.size() <= longest && is_letter(text.front()) &&
           std::ranges::all_of(text, is_plain);
}

/// \throws error errc::malformed_payload
void check_value(const signal_request& what, const payload& value)
{
    try {
        check_json("value", value);
    } catch (const error& no_json) {
        constexpr std::string_view found = "found ";
        const std::string why = no_json.what();
        std::string text = "the value of signal " + what.name + " is not JSON (" +
                           why.substr(why.find(found) + found.size()) + ")";
        if (is_bare_word(what.value)) text += "; a text needs its quotes: '\"" + what.value + "\"'";
        throw error{no_json.kind(), text};
    }
}

asio::awaitable<void> send(client to, signal_request what)
{
    const untyped_instance instance = to.get(what.id);
    const payload value = payload::from_text(what.value);
    check_value(what, value);
    co_await instance.signal(what.name, value);
    std::cout << "signal " << what.name << " delivered to " << what.id << '\n';
}

} // namespace

void signal(const target& where, const signal_request& what)
{
    run_with_client(where, [&](client to) { return send(std::move(to), what); });
}

} // namespace perdure::tool
