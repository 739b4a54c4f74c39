// Everything that crosses the store's boundary.
#pragma once

#include <perdure/store/announcement.hpp>
#include <perdure/store/answers.hpp>
#include <perdure/store/completions.hpp>
#include <perdure/store/identifiers.hpp>
#include <perdure/store/instances.hpp>
#include <perdure/store/requests.hpp>
#include <perdure/store/tasks.hpp>
