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

std::string known_as(std::string_view family, std::string_view word) {
  static constexpr char kMaf[] = "\"masked_autoregressive\"",
                        kIaf[] = "\"masked_autoregressive\" with \"invert\": true";
  static constexpr char kNsf[] = "\"spline_coupling\"", kNsfAr[] = "\"spline_autoregressive\"";
  static constexpr char kRealNvp[] = "\"affine_coupling\"", kNice[] = "\"additive_coupling\"";
  static constexpr char kConv[] = "\"plu_linear\"", kScale[] = "\"standardize\"", kStudent[] = "\"student_t\"";
  static constexpr char kNormal[] = "\"normal\"", kMixture[] = "\"gaussian_mixture\"", kFull[] = "\"full_normal\"";
  static constexpr std::pair<std::string_view, const char*> kLayers[] = {
      {"maf", kMaf},
      {"made", kMaf},
      {"arflow", kMaf},
      {"affineautoregressive", kMaf},
      {"maskedaffineautoregressive", kMaf},
      {"maskedautoregressiveflow", kMaf},
      {"iaf", kIaf},
      {"inverseautoregressive", kIaf},
      {"inverseautoregressiveflow", kIaf},
      {"realnvp", kRealNvp},
      {"coupling", kRealNvp},
      {"couplinglayer", kRealNvp},
      {"affinecouplingblock", kRealNvp},
      {"nice", kNice},
      {"nsf", kNsf},
      {"nsfc", kNsf},
      {"rqs", kNsf},
      {"rqnsf", kNsf},
      {"rqnsfc", kNsf},
      {"neuralspline", kNsf},
      {"neuralsplineflow", kNsf},
      {"rationalquadratic", kNsf},
      {"rationalquadraticspline", kNsf},
      {"nsfar", kNsfAr},
      {"rqnsfar", kNsfAr},
      {"glow", kConv},
      {"1x1", kConv},
      {"conv1x1", kConv},
      {"1x1conv", kConv},
      {"invertible1x1conv", kConv},
      {"invertible1x1convolution", kConv},
      {"scaler", kScale},
      {"standardscaler", kScale},
      {"zscore", kScale},
      {"normalization", kScale},
      {"whitening", kScale},
      {"bn", "\"batch_norm\""},
      {"activationnorm", "\"actnorm\""},
      {"permute", "\"permutation\""},
      {"randompermutation", "\"shuffle\""},
      {"flip", "\"reverse\""},
      {"dequantization", "\"dequantize\""},
      {"uniformdequantization", "\"dequantize\""},
      {"lu", "\"lu_linear\""},
      {"plu", kConv},
  };
  static constexpr std::pair<std::string_view, const char*> kBases[] = {
      {"gaussian", kNormal},
      {"standardnormal", kNormal},
      {"stdnormal", kNormal},
      {"isotropicgaussian", kNormal},
      {"diaggaussian", "\"diagonal_normal\""},
      {"diagonalgaussian", "\"diagonal_normal\""},
      {"multivariatenormal", kFull},
      {"mvn", kFull},
      {"t", kStudent},
      {"studentt", kStudent},
      {"gmm", kMixture},
      {"mixture", kMixture},
      {"mixtureofgaussians", kMixture},
      {"box", "\"uniform\""},
  };
  std::string plain;
  for (const char c : word)
    if (c != '_' && c != '-' && c != ' ') plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const auto find = [&](const auto& names) {
    for (const auto& [name, here] : names)
      if (plain == name) return std::string(here);
    return std::string();
  };
  return family == "layer" ? find(kLayers) : family == "base" ? find(kBases) : "";
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
