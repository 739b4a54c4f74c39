#include <perdure/dev/error.hpp>

#include <utility>

namespace perdure::dev {

namespace {

class dev_category final : public boost::system::error_category
{
public:
    const char* name() const noexcept override { return "perdure.dev"; }

    std::string message(int value) const override
    {
        switch (static_cast<errc>(value)) {
        case errc::not_installed: return "the PostgreSQL server is not installed";
        case errc::no_unprivileged_user: return "there is no unprivileged user for the server";
        case errc::unusable_directory: return "a directory of the server cannot be used";
        case errc::initialization_failed: return "initdb failed";
        case errc::start_failed: return "the server did not start";
        case errc::stop_failed: return "the server did not stop";
        case errc::supervisor_failed: return "the server's supervisor failed";
        case errc::statement_failed: return "the server refused a statement";
        }
        return "unknown error";
    }
};

} // namespace

const boost::system::error_category& category() noexcept
{
    static const dev_category instance;
    return instance;
}

error::error(errc code, std::string sentence)
    : system_error{make_error_code(code), sentence}, sentence_{std::move(sentence)}
{}

} // namespace perdure::dev
