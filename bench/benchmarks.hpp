// All benchmarks. docs/benchmarks.md says what each of them measures, and how.
#pragma once

#include "options.hpp"
#include "report.hpp"

namespace bench {

void measure_commit_lock(const options& how, report& to);
void measure_herd(const options& how, report& to);
void measure_idle(const options& how, report& to);
void measure_latency(const options& how, report& to);
void measure_reconnect(const options& how, report& to);
void measure_timers(const options& how, report& to);
void measure_wake(const options& how, report& to);

} // namespace bench
