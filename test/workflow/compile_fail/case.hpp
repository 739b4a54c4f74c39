// What the cases that must not compile have in common: everything but the mistake is right.
#pragma once

#include "../shop.hpp"

#include <perdure/workflow/replayer.hpp>

#include <coroutine>
#include <string>

using namespace std::chrono_literals;
