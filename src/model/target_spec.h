// A target as data: "u1", or {"type": "u1", "radius": 4}. Errors are Error{spec} at "target".
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "src/target/target.h"

namespace nf {

// Error{shape} when the target cannot have so many columns.
std::unique_ptr<Target> parse_target(std::string_view text, int64_t event);
// The registry as JSON.
std::string describe_targets();

}  // namespace nf
