#include <pg/conninfo.hpp>

#include <pg/handle.hpp>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <string_view>

namespace perdure::pg {

namespace {

using keywords = std::map<std::string, std::string>;

/// What the string itself names; not libpq's defaults, environment or service file.
keywords parse(const std::string& dsn)
{
    struct deleter
    {
        void operator()(PQconninfoOption* o) const noexcept { PQconninfoFree(o); }
    };
    char* problem = nullptr;
    const std::unique_ptr<PQconninfoOption, deleter> options{
        PQconninfoParse(dsn.c_str(), &problem)};
    if (!options) {
        const std::string text = one_line(problem);
        PQfreemem(problem);
        throw error{errc::connect_failed, "the connection string is not valid: " + text};
    }
    keywords named;
    for (const auto* o = options.get(); o->keyword; ++o)
        if (o->val) named.emplace(o->keyword, o->val);
    return named;
}

std::vector<std::string> split(std::string_view list)
{
    std::vector<std::string> parts;
    for (;;) {
        const auto comma = list.find(',');
        parts.emplace_back(list.substr(0, comma));
        if (comma == std::string_view::npos) return parts;
        list.remove_prefix(comma + 1);
    }
}

std::string find(const keywords& named, const std::string& keyword)
{
    const auto found = named.find(keyword);
    return found == named.end() ? std::string{} : found->second;
}

/// One entry for each host; a single port is every host's.
std::vector<keywords> single_hosts(const keywords& named)
{
    const std::vector<std::string> names = split(find(named, "host"));
    const std::vector<std::string> addresses = split(find(named, "hostaddr"));
    const std::vector<std::string> ports = split(find(named, "port"));
    const std::size_t count = std::max(names.size(), addresses.size());
    const auto fits = [count](const std::vector<std::string>& list) {
        return list.size() == count || list.size() == 1;
    };
    if (count == 1 || !fits(names) || !fits(addresses) || !fits(ports)) return {{}};
    std::vector<keywords> hosts;
    for (std::size_t i = 0; i < count; ++i) {
        keywords one;
        one["host"] = names.size() == 1 ? names[0] : names[i];
        one["hostaddr"] = addresses.size() == 1 ? addresses[0] : addresses[i];
        one["port"] = ports.size() == 1 ? ports[0] : ports[i];
        hosts.push_back(std::move(one));
    }
    return hosts;
}

std::string text_or_empty(const char* text)
{
    return text ? text : "";
}

/// What all attempts have in common. `named`: what the string itself names.
conninfo common_part(const connection_options& options, const keywords& named)
{
    conninfo common{
        {"fallback_application_name", options.application_name()},
        {"keepalives", "1"},
        {"keepalives_idle", "10"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "15000"},
        {"dbname", options.dsn()}, // expanded: what it names overrides what stands before it
        {"client_encoding", "UTF8"},
    };
    if (options.statement_timeout()) {
        std::string settings = find(named, "options");
        const char* environment = std::getenv("PGOPTIONS");
        if (settings.empty() && environment) settings = environment;
        if (!settings.empty()) settings += " ";
        settings += "-c statement_timeout=" + std::to_string(options.statement_timeout()->count());
        common.emplace_back("options", settings);
    }
    return common;
}

} // namespace

address address_of(PGconn* connection)
{
    return {
        text_or_empty(PQhost(connection)), text_or_empty(PQhostaddr(connection)),
        text_or_empty(PQport(connection))};
}

conninfo make_conninfo(const connection_options& options, const address& server)
{
    conninfo attempt = common_part(options, parse(options.dsn()));
    attempt.emplace_back("host", server.host);
    attempt.emplace_back("hostaddr", server.hostaddr);
    attempt.emplace_back("port", server.port);
    attempt.emplace_back("target_session_attrs", "any");
    return attempt;
}

std::vector<conninfo> make_conninfo(const connection_options& options)
{
    const keywords named = parse(options.dsn());
    const conninfo common = common_part(options, named);
    // libpq looks at all hosts twice when it prefers a standby; so must we, as we go host by host.
    std::vector<std::string> session_attributes{""};
    if (find(named, "target_session_attrs") == "prefer-standby")
        session_attributes = {"standby", "any"};
    const std::vector<keywords> hosts = single_hosts(named);
    std::vector<conninfo> attempts;
    for (const std::string& attributes : session_attributes) {
        for (const keywords& host : hosts) {
            conninfo attempt = common;
            attempt.insert(attempt.end(), host.begin(), host.end());
            if (!attributes.empty() && hosts.size() > 1)
                attempt.emplace_back("target_session_attrs", attributes);
            attempts.push_back(std::move(attempt));
        }
        if (hosts.size() == 1) break; // libpq does it by itself
    }
    return attempts;
}

} // namespace perdure::pg
