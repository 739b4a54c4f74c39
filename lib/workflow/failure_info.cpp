#include <perdure/workflow/failure_info.hpp>

#include "utf8.hpp"

#include <perdure/workflow/defaults.hpp>
#include <perdure/workflow/error.hpp>
#include <perdure/workflow/failed.hpp>
#include <perdure/workflow/payload_reader.hpp>
#include <perdure/workflow/payload_writer.hpp>

#include <boost/core/demangle.hpp>

#include <cxxabi.h>
#include <typeinfo>
#include <utility>

namespace perdure {

namespace {

/// Causes deeper than this are dropped: a chain fits into a document however it came to be.
constexpr int maximum_causes = 20;

/// Text from anywhere, `what()` say, as UTF-8 of a sensible length.
std::string clean(std::string_view text)
{
    constexpr std::size_t most = 8192;
    std::string result(text.substr(0, most));
    for (std::size_t valid = 0; (valid = detail::valid_utf8_prefix(result)) != result.size();)
        result[valid] = '?';
    return result;
}

void write(payload_writer& to, const failure_info& info, int depth)
{
    to.begin_object();
    to.key("type");
    to.string(clean(info.type));
    to.key("message");
    to.string(clean(info.message));
    if (!info.details.empty()) {
        to.key("details");
        to.raw(info.details.text());
    }
    if (!info.retryable) {
        to.key("retryable");
        to.boolean(false);
    }
    if (info.cause && depth < maximum_causes) {
        to.key("cause");
        write(to, *info.cause, depth + 1);
    }
    to.end_object();
}

failure_info read(const payload_reader& from)
{
    failure_info info;
    info.type = from.member("type").string();
    info.message = from.member("message").string();
    if (const auto details = from.find("details"))
        info.details = payload::from_text(details->to_text());
    if (const auto retryable = from.find("retryable")) info.retryable = retryable->boolean();
    if (const auto cause = from.find("cause"))
        info.cause = std::make_shared<failure_info>(read(*cause));
    return info;
}

failure_info describe_in_flight(int depth);

/// The cause of a std::throw_with_nested.
std::shared_ptr<const failure_info> cause_of(const std::exception& outer, int depth)
{
    const auto* nested = dynamic_cast<const std::nested_exception*>(&outer);
    if (nested == nullptr || nested->nested_ptr() == nullptr || depth == maximum_causes)
        return nullptr;
    try {
        nested->rethrow_nested();
    } catch (...) {
        return std::make_shared<failure_info>(describe_in_flight(depth + 1));
    }
}

/// Describes the exception being handled.
failure_info describe_in_flight(int depth)
{
    failure_info info;
    try {
        throw;
    } catch (const failed& known) {
        return known.info();
    } catch (const std::exception& known) {
        const std::type_info* thrown =
            abi::__cxa_current_exception_type(); // behind a nested_exception's wrapper
        info.cause = cause_of(known, depth);
        info.type = boost::core::demangle((thrown != nullptr ? *thrown : typeid(known)).name());
        constexpr std::string_view wrapper = "std::_Nested_exception<";
        if (info.type.starts_with(wrapper) && info.type.ends_with('>')) {
            info.type = info.type.substr(wrapper.size(), info.type.size() - wrapper.size() - 1);
        }
        info.message = clean(known.what());
    } catch (...) {
        const std::type_info* thrown = abi::__cxa_current_exception_type();
        info.type = thrown != nullptr ? boost::core::demangle(thrown->name()) : "unknown";
        info.message = "an exception that is not derived from std::exception";
    }
    return info;
}

} // namespace

bool operator==(const failure_info& left, const failure_info& right)
{
    if (left.type != right.type || left.message != right.message || left.details != right.details ||
        left.retryable != right.retryable || (left.cause == nullptr) != (right.cause == nullptr)) {
        return false;
    }
    return left.cause == nullptr || left.cause == right.cause || *left.cause == *right.cause;
}

std::string describe(const failure_info& info)
{
    std::string sentence = info.message.empty() ? info.type : info.message;
    for (const failure_info* cause = info.cause.get(); cause != nullptr;
         cause = cause->cause.get()) {
        sentence += ": " + (cause->message.empty() ? cause->type : cause->message);
    }
    return sentence;
}

payload encode_failure(const failure_info& info)
{
    payload_writer to;
    write(to, info, 0);
    return payload::from_text(to.take());
}

failure_info decode_failure(const payload& document)
{
    const payload_document parsed(document);
    return read(parsed.root());
}

failure_info describe_exception(std::exception_ptr thrown) noexcept
{
    try {
        try {
            if (thrown == nullptr) return {"none", "no exception", {}, true, nullptr};
            std::rethrow_exception(std::move(thrown));
        } catch (...) {
            return describe_in_flight(0);
        }
    } catch (...) {
        return {}; // no memory for words
    }
}

} // namespace perdure
