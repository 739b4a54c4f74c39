// The command: what an operator needs to set up an installation, look at it, and unstick it.
#include "advice.hpp"
#include "checks.hpp"
#include "commands.hpp"
#include "text.hpp"

#include <perdure/store/migrate.hpp>
#include <perdure/workflow/defaults.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace perdure;

constexpr int usage_error = 2;
constexpr std::int32_t most_listed = 100'000;
constexpr const char* exit_statuses =
    "Exit status: 0 done, 1 an error, which standard error tells in one sentence, 2 wrong usage.";

class command_line
{
public:
    command_line()
    {
        app_.require_subcommand(0, 1); // none is an error too, but a wrong one must be named
        app_.set_version_flag("--version", "perdure " + std::string{store::library_version});
        if (const char* const dsn = std::getenv("PERDURE_DSN")) where_.dsn = dsn;
        dsn_ = app_.add_option(
            "--dsn", where_.dsn,
            "libpq connection string or URI; by default PERDURE_DSN, else libpq's own defaults");
        schema_ =
            app_.add_option("--schema", where_.schema, "PostgreSQL schema of the installation");
        schema_->check(tool::not_empty())->capture_default_str();
        app_.footer(exit_statuses);
        add_migrate();
        add_list();
        add_show();
        add_signal();
        add_cancel();
        add_remove();
        add_stats();
        add_help();
    }

    int run(int argc, char** argv)
    {
        try {
            app_.parse(argc, argv);
            if (!action_) throw CLI::RequiredError{"A command"};
        } catch (const CLI::ParseError& end) { // also --help and --version
            if (end.get_exit_code() == 0) {
                app_.exit(end); // prints it
                return status_of_output();
            }
            std::cerr << "perdure: " << tool::one_line(sentence_of(end), 300) << "; see "
                      << page_for_errors() << '\n';
            return usage_error;
        }
        where_.dsn_as_argument = dsn_->count() > 0;
        try {
            action_();
            return status_of_output();
        } catch (const std::exception& failure) {
            std::cout.flush();
            std::cerr << "perdure: " << tool::one_line(tool::sentence_of(failure, where_)) << '\n';
            return 1;
        }
    }

private:
    /// Nobody may take what a full disk cut short for all there was.
    static int status_of_output()
    {
        std::cout.flush();
        if (std::cout) return 0;
        std::cerr << "perdure: cannot write the output\n";
        return 1;
    }

    std::string sentence_of(const CLI::ParseError& end) const
    {
        if (const auto* const many = dynamic_cast<const CLI::ArgumentMismatch*>(&end)) {
            const std::string text = many->what();
            const auto count = text.find(" At Most 1 required");
            if (count != std::string::npos) return text.substr(0, count) + " may be given once";
        }
        const std::vector<std::string> left = app_.remaining();
        if (!app_.get_subcommands().empty() || left.empty()) return end.what();
        const bool is_option = left.front().starts_with('-');
        return std::string{is_option ? "unknown option \"" : "unknown command \""} + left.front() +
               '"';
    }

    std::string page_for_errors() const
    {
        const std::vector<CLI::App*> commands = app_.get_subcommands();
        if (commands.empty() || commands.front()->get_name() == "help") return "perdure --help";
        return "perdure " + commands.front()->get_name() + " --help";
    }

    CLI::App* add(const char* name, const char* what)
    {
        CLI::App* const command = app_.add_subcommand(name, what);
        command->fallthrough(); // --dsn and --schema may stand anywhere
        const CLI::Formatter format;
        command->footer(
            "Which installation:\n" + format.make_option(dsn_, false) +
            format.make_option(schema_, false) + '\n' + exit_statuses);
        return command;
    }

    void add_migrate()
    {
        CLI::App* const command = add("migrate", "create the schema, or bring it up to date");
        CLI::Option* const status = command->add_flag(
            "--status", migrate_.status, "only say what is applied and what is pending");
        CLI::Option* const down_to = command->add_option(
            "--down-to", migrate_.down_to,
            "take back all migrations above N, with what is in their tables");
        down_to->type_name("N")->check(tool::number_from(0))->excludes(status);
        command->add_flag("--force", migrate_.force, "take back even while instances are active")
            ->needs(down_to);
        command->callback([this] { action_ = [this] { tool::migrate(where_, migrate_); }; });
    }

    void add_list()
    {
        CLI::App* const command = add("list", "list instances, newest first");
        command->add_option("--state", state_, "only running, completed, failed or cancelled ones")
            ->type_name("STATE")
            ->check(tool::one_of({"running", "completed", "failed", "cancelled"}));
        command->add_option("--workflow", list_.workflow, "only those of this workflow");
        command->add_option("--queue", list_.queue, "only those on this queue");
        command->add_option("--limit", list_.limit, "at most N instances")
            ->type_name("N")
            ->check(tool::number_from(1, most_listed))
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
            ->type_name("N")
            ->check(tool::number_from(1));
        CLI::Option* const after = command->add_option(
            "--after", show_.after, "skip the first N events; by default the last ones are shown");
        after->type_name("N")->check(tool::number_from(0));
        CLI::Option* const limit = command->add_option("--limit", show_.limit, "at most N events");
        limit->type_name("N")->check(tool::number_from(1, most_listed))->capture_default_str();
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

    void add_help()
    {
        CLI::App* const command = app_.add_subcommand("help", "explain a command");
        command->add_option("command", id_, "the command; by default all are listed");
        command->callback([this] {
            const std::vector<CLI::App*> named = app_.get_subcommands(
                [this](const CLI::App* each) { return each->get_name() == id_; });
            if (!id_.empty() && named.empty())
                throw CLI::ParseError{
                    "unknown command \"" + id_ + '"', CLI::ExitCodes::ValidationError};
            action_ = [this, named] {
                if (named.empty())
                    std::cout << app_.get_formatter()->make_help(
                        &app_, "perdure", CLI::AppFormatMode::Normal);
                else
                    std::cout << named.front()->help("perdure");
            };
        });
    }

    tool::format format() const { return json_ ? tool::format::json : tool::format::text; }

    CLI::App app_{"Durable workflows on PostgreSQL", "perdure"};
    CLI::Option* dsn_ = nullptr;
    CLI::Option* schema_ = nullptr;
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
