// expect: perdure: this argument's type cannot be encoded; describe it with BOOST_DESCRIBE_STRUCT
#include "case.hpp"

struct secret
{
    int number = 0;
};

inline constexpr perdure::activity<"hide", void(secret)> hide;
const secret value;
auto call = hide(value);
