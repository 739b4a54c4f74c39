// expect: perdure: a member of this described struct cannot be encoded; describe its type with BOOST_DESCRIBE_STRUCT
#include "case.hpp"

struct secret
{
    int number = 0;
};

struct letter
{
    std::string text;
    secret signature;
};
BOOST_DESCRIBE_STRUCT(letter, (), (text, signature))

inline constexpr perdure::activity<"post", void(letter)> post;
const letter value;
auto call = post(value);
