// A directory of a test's own.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace perdure::test {

/// Everybody may enter it; it is removed at the end with all that is in it.
class temporary_directory
{
public:
    temporary_directory()
    {
        if (!::mkdtemp(path_.data())) throw std::runtime_error{"cannot make a directory " + path_};
        std::filesystem::permissions(path_, std::filesystem::perms{0755});
    }
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;
    ~temporary_directory()
    {
        std::error_code ignored; // a server that is still ending may write into it
        std::filesystem::remove_all(path_, ignored);
    }

    const std::string& path() const noexcept { return path_; }

private:
    // Not $TMPDIR: servers run as another user, who may not enter it, and a socket's path is short.
    // mkdtemp replaces the last six letters.
    std::string path_ = "/var/tmp/perdure-test-XXXXXX";
};

} // namespace perdure::test
