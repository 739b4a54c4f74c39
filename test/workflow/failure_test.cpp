// Failures: declared, described, recorded, read.
#include "expect.hpp"
#include "shop.hpp"

#include <stdexcept>

using namespace perdure;

namespace {

failure_info described(auto thrower)
{
    try {
        thrower();
    } catch (...) {
        return describe_exception(std::current_exception());
    }
    return {};
}

} // namespace

TEST_CASE(
    "a declared failure keeps its name and fields, and is an answer: not retried unless it says so")
{
    const failure_info plain =
        described([] { throw shop::card_declined(shop::declined{"over the limit"}); });
    CHECK(plain.type == "card-declined");
    CHECK(plain.details.text() == R"({"reason":"over the limit"})");
    CHECK(plain.message == R"(card-declined {"reason":"over the limit"})");
    CHECK(!plain.retryable);

    const failure_info again = described([] {
        throw shop::card_declined(shop::declined{"later"}).retryable().message("try again later");
    });
    CHECK(again.retryable);
    CHECK(again.message == "try again later");
    CHECK(described([] { throw shop::sold_out(); }).type == "sold-out");
}

TEST_CASE("any other exception keeps its type and message and is retryable")
{
    const failure_info info = described([] { throw std::out_of_range("shelf 7"); });
    CHECK(info.type == "std::out_of_range");
    CHECK(info.message == "shelf 7");
    CHECK(info.retryable);
    CHECK(described([] { throw 7; }).type == "int");
    CHECK(describe_exception(nullptr).type == "none");
}

TEST_CASE("nested exceptions become causes")
{
    const failure_info info = described([] {
        try {
            try {
                throw shop::sold_out();
            } catch (...) {
                std::throw_with_nested(std::out_of_range("shelf 7"));
            }
        } catch (...) {
            std::throw_with_nested(std::runtime_error("no order"));
        }
    });
    CHECK(info.type == "std::runtime_error");
    REQUIRE(info.cause);
    CHECK(info.cause->type == "std::out_of_range");
    REQUIRE(info.cause->cause);
    CHECK(info.cause->cause->type == "sold-out");
    CHECK(describe(info) == "no order: shelf 7: sold-out");
}

TEST_CASE("a cancellation keeps its type and kind, says whose it was, and is not retried")
{
    const cancelled inside;
    CHECK(inside.kind() == errc::cancelled);
    CHECK(inside.info().type == "perdure::cancelled");
    CHECK(!inside.info().retryable);
    const cancelled instance("checkout", "checkout-A-17");
    CHECK(std::string(instance.what()) == "workflow checkout checkout-A-17 was cancelled");
    const failed& base = instance;
    CHECK_THROWS_AS(base.raise(), const cancelled&);
}

TEST_CASE("a failure document reads back as the same failure, causes included")
{
    const failure_info info = described([] { throw shop::card_declined(shop::declined{"no"}); });
    const activity_failed outer("charge", info);
    CHECK(decode_failure(encode_failure(outer.info())) == outer.info());
    CHECK(
        encode_failure(info).text() ==
        R"({"type":"card-declined","message":"card-declined {\"reason\":\"no\"}","details":{"reason":"no"},"retryable":false})");
    CHECK(decode_failure(payload::from_text(R"({"type":"t","message":"m","new":1})")).retryable);
    CHECK(refusal(errc::malformed_payload, [] {
              (void)decode_failure(payload::from_text(R"({"type":"t"})"));
          }) == ".message is missing");
}

TEST_CASE("words that are not UTF-8, or endless, cannot spoil a failure document")
{
    const failure_info info =
        described([] { throw std::runtime_error("caf\xe9 " + std::string(100'000, 'x')); });
    const failure_info read = decode_failure(encode_failure(info));
    CHECK(read.message.starts_with("caf? xxx"));
    CHECK(read.message.size() < 10'000);
}

TEST_CASE("failed_as finds a declared failure among the causes and gives its fields")
{
    const activity_failed outer(
        "charge", described([] { throw shop::card_declined(shop::declined{"over the limit"}); }));
    CHECK(
        std::string(outer.what()) ==
        R"(activity charge failed: card-declined {"reason":"over the limit"})");
    CHECK(outer.is(shop::card_declined));
    CHECK(!outer.is(shop::sold_out));
    REQUIRE(outer.failed_as(shop::card_declined));
    CHECK(outer.failed_as(shop::card_declined)->reason == "over the limit");
    CHECK(!outer.failed_as(shop::sold_out));
    const failed& base = outer;
    CHECK_THROWS_AS(base.raise(), const activity_failed&);
}
