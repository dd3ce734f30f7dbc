// Strict JSON: duplicate keys, excessive depth and excessive size are errors with the JSON path; so is bad syntax, with
// line and column.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "runtime/core/status.h"

namespace nf {

using Json = nlohmann::ordered_json;

// Throws Error{code}. `what` names the document in messages ("spec").
Json parse_json(std::string_view text, const char* what, Code code, size_t max_bytes, int max_depth);

bool is_utf8(const char* text);

// For messages: the value as JSON, cut to a readable length.
std::string shown(const Json& value);

// The entry of `names` nearest to `word` by edit distance, or "" when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& names);

}  // namespace nf
