// expect: perdure: a described struct is read into one that was default-constructed; give it a default constructor
#include "case.hpp"

struct fixed
{
    explicit fixed(int n) : number(n) {}
    int number;
};
BOOST_DESCRIBE_STRUCT(fixed, (), (number))

fixed read(const perdure::payload& from) { return perdure::decode<fixed>(from); }
