// Everything that a program with workflows needs: definitions, workflows, workers and clients, and
// its tables.
#pragma once

#include <perdure/client/client.hpp>
#include <perdure/engine/engine.hpp>
#include <perdure/engine/rethrow.hpp>
#include <perdure/store/migrate.hpp>
#include <perdure/worker/worker.hpp>
#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>
