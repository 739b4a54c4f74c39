// The command: what an operator needs to set up an installation, look at it, and unstick it.
#include "commands.hpp"
#include "text.hpp"

#include <perdure/store/migrate.hpp>
#include <perdure/workflow/defaults.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <exception>
#include <functional>
#include <iostream>
#include <string>

namespace {

using namespace perdure;

constexpr int usage_error = 2;

class command_line
{
public:
    command_line()
    {
        app_.require_subcommand(0, 1); // none is an error too, but a wrong one must be named
        app_.set_version_flag("--version", "perdure " + std::string{store::library_version});
        app_.add_option(
                "--dsn", where_.dsn,
                "libpq connection string or URI; by default libpq's own defaults")
            ->envname("PERDURE_DSN");
        app_.add_option("--schema", where_.schema, "PostgreSQL schema of the installation")
            ->capture_default_str();
        app_.footer("Exit status: 0 done, 1 an error, which standard error tells in one sentence, "
                    "2 wrong usage.");
        add_migrate();
        add_list();
        add_show();
        add_signal();
    }

    int run(int argc, char** argv)
    {
        try {
            app_.parse(argc, argv);
            if (!action_) throw CLI::RequiredError{"A command"};
        } catch (const CLI::ParseError& end) { // also --help and --version
            if (end.get_exit_code() == 0) return app_.exit(end);
            std::cerr << "perdure: " << tool::one_line(end.what()) << "; see perdure --help\n";
            return usage_error;
        }
        try {
            action_();
            std::cout.flush();
            return 0;
        } catch (const std::exception& failure) {
            std::cout.flush();
            std::cerr << "perdure: " << tool::one_line(failure.what()) << '\n';
            return 1;
        }
    }

private:
    CLI::App* add(const char* name, const char* what)
    {
        CLI::App* const command = app_.add_subcommand(name, what);
        command->fallthrough(); // --dsn and --schema may stand anywhere
        return command;
    }

    void add_migrate()
    {
        CLI::App* const command = add("migrate", "create the schema, or bring it up to date");
        CLI::Option* const status = command->add_flag(
            "--status", migrate_.status, "only say what is applied and what is pending");
        command
            ->add_option(
                "--down-to", migrate_.down_to,
                "take back all migrations above N, with what is in their tables")
            ->type_name("N")
            ->check(CLI::NonNegativeNumber)
            ->excludes(status);
        command->callback([this] { action_ = [this] { tool::migrate(where_, migrate_); }; });
    }

    void add_list()
    {
        CLI::App* const command = add("list", "list instances, newest first");
        command->add_option("--state", state_, "only those in this state")
            ->check(CLI::IsMember({"running", "completed", "failed"}));
        command->add_option("--workflow", list_.workflow, "only those of this workflow");
        command->add_option("--queue", list_.queue, "only those on this queue");
        command->add_option("--limit", list_.limit, "at most so many")
            ->check(CLI::Range(1, 100'000))
            ->capture_default_str();
        command->add_flag("--json", json_, "print an object a line");
        command->callback([this] {
            if (!state_.empty()) list_.status = store::parse_instance_status(state_);
            action_ = [this] { tool::list(where_, list_, format()); };
        });
    }

    void add_show()
    {
        CLI::App* const command = add("show", "show an instance's state and history");
        command->add_option("id", show_.id, "the instance's id")->required();
        command->add_option("--run", show_.run, "history of this run; by default the latest")
            ->check(CLI::PositiveNumber);
        command->add_flag("--json", json_, "print the history document");
        command->callback([this] { action_ = [this] { tool::show(where_, show_, format()); }; });
    }

    void add_signal()
    {
        CLI::App* const command = add("signal", "send a signal to an active instance");
        command->add_option("id", signal_.id, "the instance's id")->required();
        command->add_option("name", signal_.name, "the signal's name")->required();
        command->add_option(
            "value", signal_.value,
            "its value, as JSON: true, 17, '\"text\"'; null, for a signal without one, by default");
        command->callback([this] { action_ = [this] { tool::signal(where_, signal_); }; });
    }

    tool::format format() const { return json_ ? tool::format::json : tool::format::text; }

    CLI::App app_{"Durable workflows on PostgreSQL", "perdure"};
    tool::target where_{{}, std::string{defaults::schema}};
    tool::migrate_request migrate_;
    store::list_request list_;
    tool::show_request show_;
    tool::signal_request signal_;
    std::string state_;
    bool json_ = false;
    std::function<void()> action_;
};

} // namespace

int main(int argc, char** argv)
{
    command_line line;
    return line.run(argc, argv);
}
