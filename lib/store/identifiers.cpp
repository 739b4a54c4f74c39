#include <perdure/store/identifiers.hpp>

#include <random>

namespace perdure::store {

claim_token draw_token()
{
    static_assert(sizeof(std::random_device::result_type) == 4);
    thread_local std::random_device source;
    std::uint64_t bits = 0;
    while (bits == 0) bits = std::uint64_t{source()} << 32 | source();
    return static_cast<claim_token>(bits);
}

} // namespace perdure::store
