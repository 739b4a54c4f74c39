// What a header needs that declares workflows, activities, signals and failures for both sides to
// include.
#pragma once

#include <perdure/workflow/activity.hpp>
#include <perdure/workflow/failure.hpp>
#include <perdure/workflow/signal.hpp>
#include <perdure/workflow/workflow.hpp>

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
