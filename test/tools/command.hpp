// Runs the perdure command as a user does.
#pragma once

#include <string>
#include <vector>

/// What a run of the command left behind.
struct command_result
{
    int status = -1;
    std::string out;
    std::string err;
};

/// Runs `perdure` with these arguments, PERDURE_DSN not set, and waits for its end.
///
/// \param output the file that its standard output goes to; without one, it is in the result.
command_result run_command(std::vector<std::string> arguments, const char* output = nullptr);
