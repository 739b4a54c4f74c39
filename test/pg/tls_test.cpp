#include "fake_server.hpp"
#include "session.hpp"

#include <doctest/doctest.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <stdexcept>

using namespace perdure;
namespace asio = boost::asio;
using test::fake_server;

namespace {

void check_tls(bool success)
{
    if (!success) throw std::runtime_error{"TLS failed"};
}

/// The server's side of one TLS connection, with a certificate made up for it.
class tls_line
{
public:
    explicit tls_line(fake_server::socket& client)
    {
        std::array<char, 8> request{};
        asio::read(client, asio::buffer(request)); // SSLRequest
        fake_server::send(client, "S");
        const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{
            EVP_EC_gen("P-256"), EVP_PKEY_free};
        const std::unique_ptr<X509, decltype(&X509_free)> certificate{X509_new(), X509_free};
        X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
        X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
        X509_set_pubkey(certificate.get(), key.get());
        check_tls(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
        check_tls(SSL_CTX_use_certificate(context_.get(), certificate.get()) == 1);
        check_tls(SSL_CTX_use_PrivateKey(context_.get(), key.get()) == 1);
        tls_.reset(SSL_new(context_.get()));
        client.native_non_blocking(false);
        SSL_set_fd(tls_.get(), client.native_handle());
        check_tls(SSL_accept(tls_.get()) == 1);
    }

    /// Reads what the client sends next; false: it hung up.
    bool read()
    {
        std::array<char, 4096> request{};
        return SSL_read(tls_.get(), request.data(), static_cast<int>(request.size())) > 0;
    }

    /// Sends one record, at most 16 kB.
    void send_record(std::string_view text)
    {
        check_tls(SSL_write(tls_.get(), text.data(), static_cast<int>(text.size())) > 0);
    }

private:
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{
        SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
    std::unique_ptr<SSL, decltype(&SSL_free)> tls_{nullptr, SSL_free};
};

std::string big_endian(std::uint32_t value)
{
    std::string text(4, '\0');
    boost::endian::store_big_u32(reinterpret_cast<unsigned char*>(text.data()), value);
    return text;
}

/// The answer to an unprepared statement up to its rows: one column of text.
std::string answer_head()
{
    const std::string one{"\0\1", 2};
    const std::string description = one + "t" + std::string(1, '\0') + big_endian(0) +
                                    std::string(2, '\0') + big_endian(25) +
                                    std::string{"\377\377", 2} + big_endian(~0u) + one;
    return fake_server::message('1', "") + fake_server::message('2', "") +
           fake_server::message('T', description);
}

/// The rest of it: one row.
std::string answer_rows(const std::string& value)
{
    const std::string one{"\0\1", 2};
    const auto length = big_endian(static_cast<std::uint32_t>(value.size()));
    return fake_server::message('D', one + length + value) +
           fake_server::message('C', std::string_view{"SELECT 1\0", 9}) +
           fake_server::message('Z', "I");
}

} // namespace

TEST_CASE("bytes that TLS holds back while the socket is quiet are read all the same")
{
    constexpr std::size_t largest_record = 16384;
    constexpr std::size_t shown = 4; // of the row's message: too little to tell its length
    // The rest of the answer is one full record. libpq's buffer, as large, holds the bytes shown
    // already; so the last ones stay in TLS, and nothing more comes to announce them.
    const std::string value(largest_record + shown - answer_rows("").size(), 'x');
    fake_server server{[&](auto& client) {
        tls_line line{client};
        line.read(); // startup
        const std::string version = std::string{"server_version"} + '\0' + "15.4" + '\0';
        line.send_record(
            fake_server::message('R', big_endian(0)) + fake_server::message('S', version) +
            fake_server::message('K', big_endian(1) + big_endian(1)) +
            fake_server::message('Z', "I"));
        line.read();
        const std::string rows = answer_rows(value);
        line.send_record(answer_head() + rows.substr(0, shown));
        line.send_record(rows.substr(shown));
        while (line.read()) {}
    }};
    std::string dsn = server.dsn();
    dsn.replace(
        dsn.find("sslmode=disable"), std::string_view{"sslmode=disable"}.size(), "sslmode=require");
    test::run([&]() -> asio::awaitable<void> {
        pg::connection_options options{dsn};
        options.prepared_statements(false);
        pg::connection c = co_await pg::connection::connect(options);
        const pg::result r = co_await c.execute(pg::statement{"select"});
        CHECK(r.get<std::string>(0, 0) == value);
    });
}
