#include <perdure/workflow/containers.hpp>

#include <boost/uuid/string_generator.hpp>
#include <boost/uuid/uuid_io.hpp>

#include <algorithm>
#include <array>
#include <exception>

namespace perdure {

void conversion<boost::uuids::uuid>::write(payload_writer& to, const boost::uuids::uuid& value)
{
    std::array<char, 36> text;
    boost::uuids::to_chars(value, text.begin(), text.end());
    to.string({text.data(), text.size()});
}

boost::uuids::uuid conversion<boost::uuids::uuid>::read(const payload_reader& from)
{
    const std::string_view text = from.string();
    try {
        if (text.size() == 36) return boost::uuids::string_generator()(text.begin(), text.end());
    } catch (const std::exception&) {
        // said below, with the path
    }
    from.refuse("a UUID");
}

} // namespace perdure
