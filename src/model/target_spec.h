// A target as data: "u1", or {"type": "u1", "radius": 4}. Errors are Error{spec} with the path "target".
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "src/target/target.h"

namespace libnf {

// Throws Error{shape} if the target cannot have this many columns.
std::unique_ptr<Target> parse_target(std::string_view text, int64_t event);
// Returns the registry of targets as JSON.
std::string describe_targets();

}  // namespace libnf
