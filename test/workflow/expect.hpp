// What an expression that must throw said.
#pragma once

#include <perdure/workflow/error.hpp>

#include <doctest/doctest.h>

#include <string>

namespace perdure {

/// Runs the function, which must throw error of this kind; returns its sentence.
template <class F>
std::string refusal(errc kind, F function)
{
    try {
        function();
    } catch (const error& problem) {
        CHECK(problem.kind() == kind);
        CHECK(problem.code() == kind);
        return problem.what();
    }
    FAIL_CHECK("nothing was thrown");
    return {};
}

} // namespace perdure
