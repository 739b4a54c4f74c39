// Calls, options and the checks at the edge.
#include "expect.hpp"
#include "shop.hpp"

#include <perdure/workflow/checks.hpp>

using namespace perdure;
using namespace std::chrono_literals;

TEST_CASE("a call carries name, encoded arguments and what it was given fluently")
{
    const shop::order order{"A-17", 9007199254740993};
    const auto charge =
        shop::charge(order).start_to_close(30s).attempts(5).queue("eu").backoff(2s, 3, 1min);
    CHECK(charge.name() == "charge");
    CHECK(charge.arguments().text() == R"([{"id":"A-17","cents":9007199254740993}])");
    CHECK(charge.options().start_to_close() == 30s);
    CHECK(charge.options().attempts() == 5);
    CHECK(charge.options().queue() == "eu");
    CHECK(charge.options().initial_interval() == 2s);
    CHECK(charge.options().backoff_coefficient() == 3);
    CHECK(charge.options().maximum_interval() == 1min);

    const auto checkout = shop::checkout(order).id("checkout-" + order.id).queue("eu");
    CHECK(checkout.id() == "checkout-A-17");
    CHECK(checkout.queue() == "eu");
    CHECK(shop::approve(true).data().text() == "true");
    CHECK(shop::go().data().text() == "null");
    CHECK(shop::refund("payment 1").arguments().text() == R"(["payment 1"])");
    CHECK(shop::text().arguments().text() == "[]");
}

TEST_CASE("an argument that cannot be encoded is refused by the call, which names it")
{
    const shop::order order{"\xff", 1};
    CHECK(
        refusal(errc::malformed_payload, [&] { (void)shop::charge(order); }) ==
        "activity charge: argument 1: .id is not UTF-8, from byte 0 on; use perdure::bytes for "
        "octets");
    CHECK(refusal(errc::malformed_payload, [&] {
              (void)shop::note("\xff");
          }).find("signal note: the value") == 0);
}

TEST_CASE("arguments over the limit are refused by the call")
{
    const std::string large(defaults::maximum_payload, 'x');
    CHECK(
        refusal(errc::payload_too_large, [&] { (void)shop::refund(large); })
            .find(
                "the arguments of activity refund: 2097156 bytes are over the limit of 2097152") ==
        0);
    CHECK(refusal(errc::payload_too_large, [&] {
              (void)shop::note(large);
          }).find("the value of signal note") == 0);
    (void)shop::note(std::string(defaults::maximum_payload - 2, 'x'));
}

TEST_CASE("ids and names are checked, with what is wrong with them")
{
    check_id("checkout-\u00e4-17 x");
    check_id(std::string(255, 'x'));
    CHECK(refusal(errc::invalid_argument, [] {
              check_id("");
          }) == "an instance's id must not be empty");
    CHECK(refusal(errc::invalid_argument, [] {
              check_id(std::string(256, 'x'));
          }).find("is 256 bytes long; the limit is 255") != std::string::npos);
    CHECK(
        refusal(errc::invalid_argument, [] { check_id("a\xff"); }) == "the id \"a?\" is not UTF-8");
    CHECK(refusal(errc::invalid_argument, [] {
              check_id("a\nb");
          }) == "the id \"a?b\" has control characters");

    check_name("queue", "eu-west/1.a_B");
    CHECK(refusal(errc::invalid_argument, [] {
              check_name("queue", "a b");
          }).find("queue \"a b\" is no valid name") == 0);
    CHECK_THROWS_AS(check_name("queue", ""), const error&);
    CHECK_THROWS_AS(check_name("queue", std::string(101, 'x')), const error&);

    const shop::order order{"A", 1};
    CHECK_THROWS_AS((void)shop::checkout(order).id(""), const error&);
    CHECK_THROWS_AS((void)shop::checkout(order).queue("a b"), const error&);
    CHECK_THROWS_AS((void)shop::charge(order).queue("a b"), const error&);
}

TEST_CASE("a payload that was not made by a call can be checked")
{
    check_json("the value", payload::from_text(" {\"a\": [1, 2.5, null]} "));
    check_json("the value", payload::from_text(std::string("\0anything", 9)));
    CHECK(refusal(errc::malformed_payload, [] {
              check_json("the value", payload::from_text("{a:1}"));
          }).find("the value: expected JSON, found at byte 1") == 0);
    CHECK_THROWS_AS(check_json("the value", payload()), const error&);
}

TEST_CASE("options that make no sense are refused and change nothing")
{
    activity_options options;
    const activity_options untouched = options;
    CHECK_THROWS_AS(options.attempts(-1), const error&);
    CHECK_THROWS_AS(options.start_to_close(0s), const error&);
    CHECK_THROWS_AS(options.backoff_coefficient(0.5), const error&);
    CHECK_THROWS_AS(options.initial_interval(-1s), const error&);
    CHECK_THROWS_AS(options.maximum_interval(-1s), const error&);
    CHECK(options == untouched);
}

TEST_CASE("pauses between attempts double from one second to a hundred, unless told otherwise")
{
    const activity_options options;
    CHECK(options.pause_after(1) == 1s);
    CHECK(options.pause_after(2) == 2s);
    CHECK(options.pause_after(7) == 64s);
    CHECK(options.pause_after(8) == 100s);
    CHECK(options.pause_after(2'000'000'000) == 100s);
    CHECK(options.may_retry(1'000'000));
    CHECK(!activity_options().attempts(3).may_retry(3));
    CHECK(activity_options().attempts(3).may_retry(2));
    CHECK(activity_options().initial_interval(0s).pause_after(2'000'000'000) == 0s);
    CHECK(activity_options().backoff_coefficient(1).pause_after(2'000'000'000) == 1s);
    CHECK(activity_options().initial_interval(3s).maximum_interval(2s).pause_after(1) == 2s);
}
