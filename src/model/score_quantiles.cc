// See score_quantiles.h.
#include "src/model/score_quantiles.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <limits>

#include "runtime/core/status.h"
#include "src/io/json.h"

namespace libnf {
namespace {

constexpr double kLowest = -std::numeric_limits<double>::infinity();

// Probabilities at which quantiles are kept: steps of 0.5 %, finer in both tails.
const std::vector<double>& levels() {
  static const std::vector<double> all = [] {
    std::vector<double> v = {0, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.003, 0.004};
    for (int i = 1; i < 200; ++i) v.push_back(i / 200.0);
    for (const double p : {0.004, 0.003, 0.002, 0.001, 0.0005, 0.0002, 0.0001, 0.0}) v.push_back(1 - p);
    return v;
  }();
  return all;
}

// The value a fraction t of the way from a to b. All of the way up from -infinity is -infinity, except its end.
double between(double a, double b, double t) {
  return t >= 1 ? b : t <= 0 || a == b || a == kLowest ? a : a + t * (b - a);
}

std::string hex(uint64_t hash) {
  char text[20];
  std::snprintf(text, sizeof text, "%016" PRIx64, hash);
  return text;
}

}  // namespace

ScoreQuantiles ScoreQuantiles::of(std::vector<double> scores) {
  if (scores.empty()) fail(Code::argument, "log_prob has no rows: expected the scores of the training rows");
  for (size_t i = 0; i < scores.size(); ++i)
    if (std::isnan(scores[i]) || scores[i] == -kLowest)
      fail(Code::numeric, "log_prob of row %zu is %s: expected a number or -infinity", i,
           std::isnan(scores[i]) ? "NaN" : "+infinity");
  std::sort(scores.begin(), scores.end());
  ScoreQuantiles q;
  q.rows_ = static_cast<int64_t>(scores.size());
  for (const double p : levels()) {
    const double at = p * static_cast<double>(scores.size() - 1);
    const auto low = static_cast<size_t>(at);
    const size_t high = std::min(low + 1, scores.size() - 1);
    q.scores_.push_back(between(scores[low], scores[high], at - static_cast<double>(low)));
  }
  return q;
}

ScoreQuantiles ScoreQuantiles::parse(const std::string& note, uint64_t hash) {
  ScoreQuantiles q;
  const Json j = parse_json(note, kNote, Code::state, size_t{1} << 20, 4);
  const Json *of = j.find("hash"), *rows = j.find("rows"), *scores = j.find("scores");
  if (of && of->string() && *of->string() != hex(hash))
    fail(Code::state, "note \"%s\" is of other parameters: score the training rows again (nf_model_set_scores)", kNote);
  if (of && rows && rows->int64() && scores && scores->array()) {
    q.rows_ = *rows->int64();
    for (const Json& s : *scores->array()) q.scores_.push_back(s.number().value_or(kLowest));
  }
  if (q.scores_.size() != levels().size() || !std::is_sorted(q.scores_.begin(), q.scores_.end()))
    fail(Code::state, "note \"%s\" is damaged: score the training rows again (nf_model_set_scores)", kNote);
  return q;
}

std::string ScoreQuantiles::written(uint64_t hash) const {
  Json::Array scores;
  for (const double s : scores_) scores.push_back(std::isfinite(s) ? Json(s) : Json());
  Json j = {{"hash", hex(hash)}, {"rows", rows_}};
  j["scores"] = std::move(scores);
  return j.dump();
}

double ScoreQuantiles::quantile(double p) const {
  const std::vector<double>& at = levels();
  const auto above = std::min(std::upper_bound(at.begin(), at.end(), p), at.end() - 1);
  const auto i = static_cast<size_t>(above - at.begin());
  return between(scores_[i - 1], scores_[i], (p - at[i - 1]) / (at[i] - at[i - 1]));
}

double ScoreQuantiles::rank(double score) const {
  if (std::isnan(score)) return score;
  const auto above = std::lower_bound(scores_.begin(), scores_.end(), score);
  if (above == scores_.begin()) return 0;
  if (above == scores_.end()) return 1;
  const auto i = static_cast<size_t>(above - scores_.begin());
  const double low = scores_[i - 1], part = low == kLowest ? 1 : (score - low) / (scores_[i] - low);
  return between(levels()[i - 1], levels()[i], part);
}

}  // namespace libnf
