#include "progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace bench {

progress::progress(int steps)
    : steps_{std::max(steps, 1)},
      shown_{::isatty(STDERR_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1}
{}

progress::~progress()
{
    if (shown_) std::fprintf(stderr, "\r\033[K");
}

void progress::step(const std::string& what)
{
    const int done = std::min(begun_++, steps_);
    if (!shown_) return;
    constexpr int columns = 30;
    const int filled = columns * done / steps_;
    std::string bar(static_cast<std::size_t>(filled), '#');
    bar.resize(columns, '.');
    std::fprintf(stderr, "\r\033[K[%s] %3d%%", bar.c_str(), 100 * done / steps_);
    if (done > 0) {
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - since_;
        std::fprintf(stderr, " %4.0f s left", taken.count() / done * (steps_ - done));
    }
    std::fprintf(stderr, "  %s", what.c_str());
}

} // namespace bench
