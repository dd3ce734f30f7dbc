// The word that somebody probably meant, for messages about unknown names.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace nf {

// The entry of `names` nearest to `word` by edit distance, or "" when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& names);

}  // namespace nf
