// The database that the tests of one program share.
#pragma once

#include <perdure/dev/server.hpp>

#include <string>

/// The private PostgreSQL of this test program, started by the first call and stopped when the
/// program ends. A test that stops or breaks a server makes its own.
perdure::dev::server& test_server();

/// Where tests connect to: what `PERDURE_DSN` in the environment says, else `test_server()`.
std::string test_dsn();

/// A schema name that no other test uses, of this run or an earlier one.
std::string unique_schema();
