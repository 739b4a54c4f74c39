// TLS with a server that proves who it is, as production uses it: `sslmode=verify-full`.
#include "certificates.hpp"
#include "fake_server.hpp"
#include "session.hpp"

#include <perdure/pg/listener.hpp>

#include <dev/installation.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <random>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::certificate_authority;
using test::contains;

namespace {

/// A server that takes nothing but TLS, on an address of its own.
class tls_server
{
public:
    /// With a certificate for `host`, which ends so many seconds from now.
    tls_server(certificate_authority& authority, const std::string& host, long ends_in)
    {
        const auto user = dev::find_server_user();
        const auto files = authority.sign(host, ends_in, user ? user->uid : ::geteuid());
        const std::string rules = files.certificate + ".hba";
        std::ofstream{rules} << "local all all trust\nhostssl all all 127.0.0.0/8 trust\n";
        server_.emplace(dev::server_options{}
                            .setting("listen_addresses", address_)
                            .setting("hba_file", rules)
                            .setting("ssl", "on")
                            .setting("ssl_cert_file", files.certificate)
                            .setting("ssl_key_file", files.key));
    }

    /// How to reach it under the name `host`, trusting who is named in the file `root`.
    std::string dsn(const std::string& host, const std::string& root) const
    {
        return "host=" + host + " hostaddr=" + address_ +
               " port=5432 user=postgres dbname=postgres gssencmode=disable sslmode=verify-full "
               "sslrootcert=" +
               root;
    }

private:
    static std::string random_address()
    {
        std::random_device random;
        const auto part = [&] { return "." + std::to_string(random() % 200 + 10); };
        return "127" + part() + part() + part();
    }

    std::string address_ = random_address();
    std::optional<dev::server> server_;
};

pg::error failure_to_connect(std::string dsn)
{
    return test::run([&]() -> asio::awaitable<pg::error> {
        const pg::error e =
            co_await test::failure_of(pg::connection::connect(pg::connection_options{dsn}));
        co_return e;
    });
}

} // namespace

TEST_CASE("verify-full connects to whom the authority vouches for, and to nobody else")
{
    certificate_authority authority;
    certificate_authority stranger{"somebody else"};
    certificate_authority impostor; // of the same name
    const tls_server server{authority, "localhost", certificate_authority::day};
    test::run([&]() -> asio::awaitable<void> {
        pg::connection c = co_await pg::connection::connect(
            pg::connection_options{server.dsn("localhost", authority.root())});
        const pg::statement encrypted{"select ssl from pg_stat_ssl where pid = pg_backend_pid()"};
        const pg::result r = co_await c.execute(encrypted);
        CHECK(r.get<bool>(0, 0));
    });

    const pg::error untrusted = failure_to_connect(server.dsn("localhost", stranger.root()));
    CHECK(untrusted.code() == pg::errc::connect_failed);
    CHECK(contains(untrusted.what(), "server at \"127."));
    CHECK(contains(untrusted.what(), "certificate verify failed: unable to get local issuer"));
    const pg::error forged = failure_to_connect(server.dsn("localhost", impostor.root()));
    CHECK(contains(forged.what(), "certificate signature failure"));

    const pg::error misnamed = failure_to_connect(server.dsn("db.example", authority.root()));
    CHECK(misnamed.code() == pg::errc::connect_failed);
    CHECK(contains(
        misnamed.what(),
        "server certificate for \"localhost\" does not match host name \"db.example\""));

    const pg::error no_root = failure_to_connect(server.dsn("localhost", "/nowhere/root.crt"));
    CHECK(no_root.code() == pg::errc::connect_failed);
    CHECK(contains(no_root.what(), "root certificate file \"/nowhere/root.crt\" does not exist"));
}

TEST_CASE("a certificate that has expired is refused, and it is said that it has")
{
    certificate_authority authority;
    const tls_server server{authority, "localhost", -60};
    const pg::error expired = failure_to_connect(server.dsn("localhost", authority.root()));
    CHECK(expired.code() == pg::errc::connect_failed);
    CHECK(contains(expired.what(), "server at \"127."));
    CHECK(contains(expired.what(), "certificate verify failed: certificate has expired"));
}

TEST_CASE("a server without TLS is refused by who asks for it")
{
    using test::fake_server;
    fake_server plain{[](auto& client) {
        std::array<char, 8> request{};
        asio::read(client, asio::buffer(request)); // SSLRequest
        fake_server::send(client, "N");
        fake_server::listen_until_closed(client);
    }};
    certificate_authority authority;
    std::string dsn = plain.dsn();
    dsn.replace(
        dsn.find("sslmode=disable"), std::string_view{"sslmode=disable"}.size(),
        "sslmode=verify-full sslrootcert=" + authority.root());
    const pg::error refused = failure_to_connect(dsn);
    CHECK(refused.code() == pg::errc::connect_failed);
    CHECK(contains(refused.what(), "\"127.0.0.1\""));
    CHECK(contains(refused.what(), "server does not support SSL, but SSL was required"));
}

TEST_CASE("results and notifications of every size come whole through TLS")
{
    certificate_authority authority;
    const tls_server server{authority, "localhost", certificate_authority::day};
    const pg::connection_options options{server.dsn("localhost", authority.root())};
    asio::io_context io{1};
    pg::listener listener{
        io.get_executor(), pg::listener_options{options}.channels({"c"}).response_timeout(30s)};
    std::size_t heard = 0;
    bool up = false;
    bool ended = false;
    listener.on_gap([&] { up = true; });
    listener.on_notification([&](const pg::notification& n) { heard += n.payload.size(); });
    test::run(io, [&]() -> asio::awaitable<void> {
        asio::co_spawn(io, listener.run(), [&](std::exception_ptr e) { ended = !e; });
        co_await test::wait_until([&] { return up; });
        pg::connection c = co_await pg::connection::connect(options);
        const pg::statement sized{"select repeat('x', $1)"};
        // Around the sizes of libpq's buffer and of TLS records, where bytes are left behind.
        for (std::int32_t size = 8000; size < 50'000; size += 131) {
            const pg::result r = co_await c.execute(sized, size);
            REQUIRE(r.get<std::string>(0, 0).size() == static_cast<std::size_t>(size));
        }
        const pg::statement rows{"select repeat('y', 1000) from generate_series(1, 20000)"};
        const pg::result r = co_await c.execute(rows);
        CHECK(r.size() == 20'000);
        const pg::statement notify{
            "select pg_notify('c', n || repeat('z', 7000)) from generate_series(100, 599) n"};
        co_await c.execute(notify);
        co_await test::wait_until([&] { return heard == std::size_t{500} * 7003; });
        listener.stop();
        co_await test::wait_until([&] { return ended; });
    });
}
