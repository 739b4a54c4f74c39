#include "options.hpp"

#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string_view>

namespace demo {

namespace {

constexpr char usage[] = R"(usage: perdure_checkout_demo [--kill-after FRACTION|random] [--seed N]

Runs the checkout example: two workers and a client over a file of orders. One worker is killed with SIGKILL when
FRACTION of the orders are done (default 0.5). --seed repeats a random choice: of the moment, and of the worker.

With PERDURE_DSN set it uses that database, in which it makes the schemas perdure and shop; else it starts a
private PostgreSQL and removes it at the end.
)";

double parse_fraction(const std::string& text)
{
    char* end = nullptr;
    const double fraction = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(fraction >= 0 && fraction <= 1))
        throw std::invalid_argument{"--kill-after takes a number from 0 to 1, or the word random"};
    return fraction;
}

std::uint64_t parse_seed(const std::string& text)
{
    char* end = nullptr;
    const std::uint64_t seed = std::strtoull(text.c_str(), &end, 10);
    if (text.empty() || *end != '\0') throw std::invalid_argument{"--seed takes a number"};
    return seed;
}

} // namespace

options parse_options(int argc, char** argv)
{
    options chosen;
    bool random = false;
    chosen.seed = std::random_device{}();
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--help" || name == "-h") {
            chosen.help = usage;
            return chosen;
        }
        if (name != "--kill-after" && name != "--seed")
            throw std::invalid_argument{"unknown option " + std::string{name} + "\n" + usage};
        if (++i == argc) throw std::invalid_argument{std::string{name} + " needs a value"};
        const std::string value = argv[i];
        if (name == "--seed")
            chosen.seed = parse_seed(value);
        else if (value == "random")
            random = true;
        else
            chosen.kill_after = parse_fraction(value);
    }
    if (random) {
        std::mt19937_64 draw{chosen.seed};
        chosen.kill_after = static_cast<double>(draw() % 1000) / 1000;
        chosen.delay = std::chrono::milliseconds{draw() % 100};
    }
    return chosen;
}

} // namespace demo
