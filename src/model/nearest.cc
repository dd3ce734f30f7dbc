// Levenshtein distance computed row by row; see nearest.h.
#include "src/model/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace libnf {
namespace {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, above + 1, diagonal + (a[i] != b[j])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& names) {
  std::string best;
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  if (word.size() > 64) return best;
  for (const std::string& name : names) {
    const size_t d = edit_distance(word, name);
    if (d < least) {
      least = d;
      best = name;
    }
  }
  return best;
}

std::string layer_alias(std::string_view word) {
  static constexpr std::pair<std::string_view, const char*> kAliases[] = {
      {"maf", "\"masked_autoregressive\""},
      {"made", "\"masked_autoregressive\""},
      {"iaf", "\"masked_autoregressive\" with \"invert\": true"},
      {"realnvp", "\"affine_coupling\""},
      {"nice", "\"additive_coupling\""},
      {"glow", "\"plu_linear\""},
      {"1x1", "\"plu_linear\""},
      {"conv1x1", "\"plu_linear\""},
  };
  std::string plain;
  for (const char c : word)
    if (c != '_' && c != '-' && c != ' ') plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const auto& [alias, layer] : kAliases)
    if (plain == alias) return layer;
  return {};
}

std::string known_names(const std::vector<std::string>& names, size_t room) {
  constexpr std::string_view kRest = ", ... (`nf parts` and nf_parts_describe list all)";
  std::string all, some;
  for (const std::string& n : names) {
    all += (all.empty() ? "" : ", ") + n;
    if (all.size() + kRest.size() <= room) some = all;
  }
  return all.size() <= room ? all : some + std::string(kRest);
}

}  // namespace libnf
