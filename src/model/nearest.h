// Finds the name that was probably meant, for messages about unknown names.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace libnf {

// Returns the entry of `names` nearest to `word` by edit distance, or "" if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& names);

// Translates names that layers and bases ("layer", "base") have in papers and other libraries into what to write here, e.g.
// "\"affine_coupling\"" for RealNVP. Returns "" for other words.
std::string known_as(std::string_view family, std::string_view word);

// Joins names as "a, b, c". If that exceeds `room` characters, cuts between names and says where to find the rest.
std::string known_names(const std::vector<std::string>& names, size_t room);

}  // namespace libnf
