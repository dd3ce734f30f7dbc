// The word that somebody probably meant, for messages about unknown names.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace nf {

// The entry of `names` nearest to `word` by edit distance, or "" when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& names);

// What a layer is called elsewhere, as what to write here: "\"affine_coupling\"" for RealNVP; "" for other words.
std::string layer_alias(std::string_view word);

// "a, b, c", cut between names, with a word on where the rest is, to at most `room` characters.
std::string known_names(const std::vector<std::string>& names, size_t room);

}  // namespace nf
