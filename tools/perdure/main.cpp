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
#include <vector>

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
        add_cancel();
        add_remove();
        add_stats();
    }

    int run(int argc, char** argv)
    {
        try {
            app_.parse(argc, argv);
            if (!action_) throw CLI::RequiredError{"A command"};
        } catch (const CLI::ParseError& end) { // also --help and --version
            if (end.get_exit_code() == 0) return app_.exit(end);
            std::cerr << "perdure: " << tool::one_line(sentence_of(end), 300)
                      << "; see perdure --help\n";
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
    std::string sentence_of(const CLI::ParseError& end) const
    {
        const std::vector<std::string> left = app_.remaining();
        if (!app_.get_subcommands().empty() || left.empty()) return end.what();
        const bool is_option = left.front().starts_with('-');
        return std::string{is_option ? "unknown option \"" : "unknown command \""} + left.front() +
               '"';
    }

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
            ->check(CLI::IsMember({"running", "completed", "failed", "cancelled"}));
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
        CLI::Option* const after = command->add_option(
            "--after", show_.after, "skip the first N events; by default the last ones are shown");
        after->type_name("N")->check(CLI::NonNegativeNumber);
        CLI::Option* const limit = command->add_option("--limit", show_.limit, "at most N events");
        limit->type_name("N")->check(CLI::Range(1, 100'000))->capture_default_str();
        command->add_flag("--json", json_, "print the whole history document")
            ->excludes(after)
            ->excludes(limit);
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

    void add_cancel()
    {
        CLI::App* const command = add("cancel", "ask an active instance to end");
        command->add_option("id", id_, "the instance's id")->required();
        command->callback([this] { action_ = [this] { tool::cancel(where_, id_); }; });
    }

    void add_remove()
    {
        CLI::App* const command =
            add("remove", "remove finished instances, with their histories, for good");
        command->add_option("id", ids_, "the instances' ids")->required();
        command->callback([this] { action_ = [this] { tool::remove(where_, ids_); }; });
    }

    void add_stats()
    {
        CLI::App* const command =
            add("stats", "count active instances, and pending tasks by queue");
        command->add_flag("--json", json_, "print an object");
        command->callback([this] { action_ = [this] { tool::stats(where_, format()); }; });
    }

    tool::format format() const { return json_ ? tool::format::json : tool::format::text; }

    CLI::App app_{"Durable workflows on PostgreSQL", "perdure"};
    tool::target where_{{}, std::string{defaults::schema}};
    tool::migrate_request migrate_;
    store::list_request list_;
    tool::show_request show_;
    tool::signal_request signal_;
    std::string id_;
    std::vector<std::string> ids_;
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
