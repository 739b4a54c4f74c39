// What marks the names that a shared library of Perdure exports.
#pragma once

/// On every class with members in the library, every exception and every free function that users
/// call: the library is built with all other symbols hidden. The same for archives and shared
/// libraries, so that a program need not know which of the two it links.
#define PERDURE_DECL __attribute__((visibility("default")))

/// On the definition of a private class that is a member of such a class.
#define PERDURE_LOCAL __attribute__((visibility("hidden")))
