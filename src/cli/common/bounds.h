// Bounds of numeric flags, checked before conversion so that errors are readable.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>

namespace cli {

CLI::Validator at_least(int64_t least);  // whole numbers
CLI::Validator above_zero();             // any number

}  // namespace cli
