// A server of canned messages, for what a real one cannot be made to do.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/endian/conversion.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace perdure::test {

/// Accepts connections one after the other on a thread and gives each to `serve`, which returns to
/// close it.
class fake_server
{
public:
    using socket = boost::asio::ip::tcp::socket;

    explicit fake_server(std::function<void(socket&)> serve) : serve_{std::move(serve)}
    {
        thread_ = std::thread{[this] {
            boost::system::error_code ended;
            for (;;) {
                socket client{io_};
                acceptor_.accept(client, ended);
                if (stopping_) return;
                try {
                    serve_(client);
                } catch (const boost::system::system_error&) { // the client hung up
                }
            }
        }};
    }
    fake_server(const fake_server&) = delete;
    fake_server& operator=(const fake_server&) = delete;
    ~fake_server()
    {
        stopping_ = true;
        socket last{io_};
        boost::system::error_code ignored;
        last.connect(acceptor_.local_endpoint(), ignored);
        thread_.join();
    }

    std::string dsn() const
    {
        return "host=127.0.0.1 port=" + std::to_string(acceptor_.local_endpoint().port()) +
               " user=x dbname=x sslmode=disable gssencmode=disable";
    }

    /// A message with its type and length.
    static std::string message(char type, std::string_view body)
    {
        std::array<unsigned char, 4> length{};
        boost::endian::store_big_u32(length.data(), static_cast<std::uint32_t>(body.size() + 4));
        std::string text(1, type);
        text.append(reinterpret_cast<const char*>(length.data()), length.size());
        return text.append(body);
    }

    static void send(socket& client, std::string_view text)
    {
        boost::asio::write(client, boost::asio::buffer(text));
    }

    /// Reads the startup message.
    static void read_startup(socket& client)
    {
        std::array<unsigned char, 4> length{};
        boost::asio::read(client, boost::asio::buffer(length));
        std::vector<char> rest(boost::endian::load_big_u32(length.data()) - 4);
        boost::asio::read(client, boost::asio::buffer(rest));
    }

    /// Refuses the client with a FATAL error.
    static void refuse(socket& client, std::string_view sqlstate, std::string_view text)
    {
        read_startup(client);
        std::string body;
        for (const std::string_view field : {"SFATAL", "VFATAL"})
            body.append(field).append(1, '\0');
        body.append("C").append(sqlstate).append(1, '\0');
        body.append("M").append(text).append(2, '\0');
        send(client, message('E', body));
    }

    /// Reads the startup message and lets the client in, as a server of this version.
    static void welcome(socket& client, std::string_view version)
    {
        read_startup(client);
        const std::string parameter =
            std::string{"server_version"} + '\0' + std::string{version} + '\0';
        send(
            client, message('R', std::string_view{"\0\0\0\0", 4}) + message('S', parameter) +
                        message('K', std::string_view{"\0\0\0\1\0\0\0\1", 8}) + message('Z', "I"));
    }

    /// Reads until the client hangs up.
    static void listen_until_closed(socket& client)
    {
        std::array<char, 256> ignored{};
        boost::system::error_code ended;
        while (!ended) client.read_some(boost::asio::buffer(ignored), ended);
    }

private:
    std::function<void(socket&)> serve_;
    std::atomic<bool> stopping_ = false;
    boost::asio::io_context io_{1};
    boost::asio::ip::tcp::acceptor acceptor_{io_, {boost::asio::ip::address_v4::loopback(), 0}};
    std::thread thread_;
};

} // namespace perdure::test
