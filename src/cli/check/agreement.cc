// Checks that the model's distribution is that of the data: latents against the base, columns and their correlations
// against samples, neighbors, copies of rows, conditional distributions, rows it was trained on. A verdict needs a
// difference that is significant for the number of rows (p) and large enough to matter (an effect size): with many rows
// every fit differs significantly from the data. See check.h.
#include <algorithm>
#include <cmath>

#include "src/cli/check/check.h"
#include "src/cli/check/neighbors.h"
#include "src/cli/check/two_sample.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {

// Effects above these and chance below 1e-3 give "look" and "FAIL". d is Kolmogorov's distance of two distributions, the
// largest difference of their shares below any number.
constexpr double kLookD = 0.06, kFailD = 0.15;
constexpr double kLookR = 0.1, kFailR = 0.3;  // differences of rank correlations
constexpr double kChance = 1e-3;              // after correction for the number of comparisons (Bonferroni)
constexpr int64_t kPairColumns = 64;          // correlations of the first so many columns
constexpr int64_t kBins = 4, kBinRows = 50;   // of a context column

Verdict judge(double effect, double p, double look, double fail) {
  if (!(p < kChance) || !(effect > look)) return Verdict::ok;
  return effect > fail ? Verdict::fail : Verdict::look;
}

std::vector<double> column_of(const std::vector<double>& rows, size_t cols, size_t j) {
  std::vector<double> out;
  for (size_t k = j; k < rows.size(); k += cols)
    if (!std::isnan(rows[k])) out.push_back(rows[k]);
  return out;
}

// Distances of rows from 0; rows that are not finite are infinitely far.
std::vector<double> radii_of(const std::vector<double>& rows, size_t cols) {
  std::vector<double> out;
  for (size_t r = 0; r * cols < rows.size(); ++r) {
    double sum = 0;
    for (size_t j = 0; j < cols; ++j) sum += rows[r * cols + j] * rows[r * cols + j];
    out.push_back(std::isnan(sum) ? INFINITY : std::sqrt(sum));
  }
  return out;
}

// The worst of several comparisons, which are corrected for their number.
struct Worst {
  double effect = -1, p = 1;
  size_t at = 0;
  int64_t compared = 0;
  void take(double e, double chance, size_t index) {
    ++compared;
    // Of those that are significant the largest effect, else the least likely one.
    const bool better = chance < p || (chance == p && e > effect);
    if (effect < 0 || better) effect = e, p = chance, at = index;
  }
  double corrected() const { return std::min(1.0, p * static_cast<double>(compared)); }
};

std::string chance_words(double p) { return p < 1e-6 ? "p < 1e-6" : text("p = %.2g", p); }

std::string quantile_words(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  const auto at = [&](double q) { return v[static_cast<size_t>(q * static_cast<double>(v.size() - 1))]; };
  // Enough digits to tell the quantiles apart, where they lie far from 0.
  const double spread = at(0.95) - at(0.05), size = std::max(std::abs(at(0.05)), std::abs(at(0.95)));
  const int digits = spread > 0 ? std::clamp(4 + static_cast<int>(std::log10(size / spread)), 4, 15) : 4;
  return text("%.*g, %.*g, %.*g", digits, at(0.05), digits, at(0.5), digits, at(0.95));
}

std::string name_of(const CheckedModel& s, size_t column) {
  return column < s.names.size() && !s.names[column].empty() ? "\"" + s.names[column] + "\""
                                                             : "column " + std::to_string(column);
}

// Rows next to their contexts, each column divided by its spread in the data.
std::vector<double> joined(const CheckedModel& s, const std::vector<double>& x, const std::vector<double>& c) {
  const auto d = static_cast<size_t>(s.info.event_size), e = c.empty() ? 0 : static_cast<size_t>(s.info.context_size);
  std::vector<double> width(e, 1), out;
  for (size_t j = 0; j < e; ++j) {
    const std::vector<double> v = column_of(c, e, j);
    double mean = 0, squares = 0;
    for (const double w : v) mean += w / static_cast<double>(v.size());
    for (const double w : v) squares += (w - mean) * (w - mean) / static_cast<double>(v.size());
    if (squares > 0) width[j] = std::sqrt(squares);
  }
  for (size_t r = 0; r * d < x.size(); ++r) {
    for (size_t j = 0; j < d; ++j) out.push_back(x[r * d + j] / s.spread[j]);
    for (size_t j = 0; j < e; ++j) out.push_back(c[r * e + j] / width[j]);
  }
  return out;
}

// Leaves out rows that are not finite.
std::vector<double> finite_rows(std::vector<double> rows, size_t cols) {
  size_t to = 0;
  for (size_t r = 0; r * cols < rows.size(); ++r) {
    const auto at = rows.begin() + static_cast<int64_t>(r * cols);
    if (!std::all_of(at, at + static_cast<int64_t>(cols), [](double v) { return std::isfinite(v); })) continue;
    std::copy(at, at + static_cast<int64_t>(cols), rows.begin() + static_cast<int64_t>(to++ * cols));
  }
  rows.resize(to * cols);
  return rows;
}

}  // namespace

Finding check_latents(const CheckedModel& s, uint64_t seed) {
  const auto cols = static_cast<size_t>(s.info.latent_size);
  const int64_t n = std::min<int64_t>(5 * s.rows, std::max<int64_t>(s.rows, (int64_t{1} << 22) / s.info.latent_size));
  const std::vector<double> z = s.latents(), base = s.base(n, seed);
  Worst worst;
  nlohmann::ordered_json distances = nlohmann::ordered_json::array();
  for (size_t j = 0; j < cols; ++j) {
    const Distance d = compare(column_of(z, cols, j), column_of(base, cols, j));
    worst.take(d.d, d.p, j);
    distances.push_back(d.d);
  }
  const Distance radius = compare(radii_of(z, cols), radii_of(base, cols));
  worst.take(radius.d, radius.p, cols);
  Finding f{"latents", judge(worst.effect, worst.corrected(), kLookD, kFailD), {}, {}};
  const std::string what = worst.at == cols ? "the distance from 0" : "column " + std::to_string(worst.at);
  f.message = text("z of the data against draws of the %s: largest difference in %s, D = %.3f (%s); radius D = %.3f",
                   is_vae(s.info) ? "prior" : "base", what.c_str(), worst.effect,
                   chance_words(worst.corrected()).c_str(), radius.d);
  if (f.verdict != Verdict::ok)
    f.message += is_vae(s.info) ? ": samples decode latents that rows do not have; a prior with layers fits them"
                                : ": the data does not look like the base after the map";
  f.numbers = {{"worst", worst.at == cols ? -1 : static_cast<int64_t>(worst.at)},
               {"distance", worst.effect},
               {"p", worst.corrected()},
               {"radius", radius.d},
               {"columns", distances}};
  return f;
}

Finding check_columns(const CheckedModel& s, uint64_t seed) {
  const auto cols = static_cast<size_t>(s.info.event_size);
  const int64_t n = std::min<int64_t>(5 * s.rows, std::max<int64_t>(s.rows, (int64_t{1} << 22) / s.info.event_size));
  const std::vector<double> drawn = s.sample(n, seed).x;
  Worst column, pair;
  std::vector<std::vector<double>> of_data, of_samples;
  nlohmann::ordered_json distances = nlohmann::ordered_json::array();
  for (size_t j = 0; j < cols; ++j) {
    std::vector<double> a = column_of(s.x, cols, j), b = column_of(drawn, cols, j);
    const Distance d = compare(a, b);
    column.take(d.d, d.p, j);
    distances.push_back(d.d);
    if (static_cast<int64_t>(j) < kPairColumns) {
      of_data.push_back(std::move(a));
      of_samples.push_back(std::move(b));
    }
  }
  double r_data = 0, r_samples = 0;
  for (size_t i = 0; i < of_data.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      if (of_data[i].size() != of_data[j].size() || of_samples[i].size() != of_samples[j].size()) continue;  // NaN
      const double r = rank_correlation(of_data[i], of_data[j]), q = rank_correlation(of_samples[i], of_samples[j]);
      const double before = pair.p;
      pair.take(std::abs(r - q), correlation_difference(r, s.rows, q, n), i * cols + j);
      if (pair.compared == 1 || pair.p != before) r_data = r, r_samples = q;
    }
  Finding f{"columns", judge(column.effect, column.corrected(), kLookD, kFailD), {}, {}};
  f.message = text("data against samples: largest difference in %s, D = %.3f (%s)", name_of(s, column.at).c_str(),
                   column.effect, chance_words(column.corrected()).c_str());
  if (f.verdict != Verdict::ok)
    f.message += text("; its 5, 50 and 95 %% quantiles are %s in the data and %s in samples",
                      quantile_words(column_of(s.x, cols, column.at)).c_str(),
                      quantile_words(column_of(drawn, cols, column.at)).c_str());
  f.numbers = {{"worst", column.at}, {"distance", column.effect}, {"p", column.corrected()}, {"columns", distances}};
  if (pair.compared) {
    const Verdict correlated = judge(pair.effect, pair.corrected(), kLookR, kFailR);
    f.message += text("; rank correlation of %s and %s is %.2f in the data, %.2f in samples (%s)",
                      name_of(s, pair.at % cols).c_str(), name_of(s, pair.at / cols).c_str(), r_data, r_samples,
                      chance_words(pair.corrected()).c_str());
    f.verdict = std::max(f.verdict, correlated);
    f.numbers["correlation"] = {{"columns", {pair.at % cols, pair.at / cols}},
                                {"data", r_data},
                                {"samples", r_samples},
                                {"p", pair.corrected()}};
  }
  return f;
}

Finding check_neighbors(const CheckedModel& s, uint64_t seed) {
  const auto cols = static_cast<size_t>(s.info.event_size + (s.c.empty() ? 0 : s.info.context_size));
  Finding f{"neighbors", Verdict::none, {}, {}};
  std::vector<double> data = finite_rows(joined(s, s.x, s.contexts(s.rows)), cols),
                      drawn = finite_rows(joined(s, s.sample(s.rows, seed).x, s.contexts(s.rows)), cols);
  const size_t n = std::min({data.size() / cols, drawn.size() / cols, most_rows(cols)});
  if (n < 20) {
    f.message = "not judged: it needs 20 rows and samples";
    return f;
  }
  data.resize(n * cols);
  drawn.resize(n * cols);
  const Mixing m = mixing(data, drawn, cols, seed);
  f.verdict = judge(m.share - 0.5, m.p, 0.04, 0.1);
  f.message =
      text("%.1f %% of the nearest neighbors of rows and samples are of their own kind, where 50 %% is ideal (%s)",
           100 * m.share, chance_words(m.p).c_str());
  if (f.verdict != Verdict::ok) f.message += ": samples can be told from data";
  f.numbers = {{"rows", n}, {"share", m.share}, {"p", m.p}};
  return f;
}

// A model that memorized rows draws samples that are nearer to them than new rows are. Half of the rows stand for new ones,
// so it shows if the rows are those of the training.
Finding check_copies(const CheckedModel& s, uint64_t seed) {
  const auto cols = static_cast<size_t>(s.info.event_size);
  Finding f{"copies", Verdict::none, {}, {}};
  const std::vector<double> data = finite_rows(joined(s, s.x, {}), cols);
  std::vector<double> old, fresh;
  const size_t n = std::min(data.size() / cols, most_rows(cols));
  for (size_t r = 0; r < n; ++r) {
    std::vector<double>& half = r % 2 ? fresh : old;
    half.insert(half.end(), data.begin() + static_cast<int64_t>(r * cols),
                data.begin() + static_cast<int64_t>((r + 1) * cols));
  }
  const std::vector<double> drawn =
      finite_rows(joined(s, s.sample(static_cast<int64_t>(std::min(10 * n, 2 * most_rows(cols))), seed).x, {}), cols);
  if (n < 40 || drawn.size() < 20 * cols) {
    f.message = "not judged: it needs 40 rows";
    return f;
  }
  std::vector<double> expected = nearest_distances(fresh, old, cols), found = nearest_distances(drawn, old, cols);
  // One-sided: how many more samples than rows are within the distances that a tenth of the rows has. Larger ones would
  // also see a model that is too narrow, which is not the same.
  std::sort(expected.begin(), expected.end());
  std::sort(found.begin(), found.end());
  const auto m = static_cast<double>(expected.size()), k = static_cast<double>(found.size());
  double excess = 0;
  for (size_t i = 0; i < found.size() && found[i] <= expected[expected.size() / 10]; ++i) {
    const auto within = std::upper_bound(expected.begin(), expected.end(), found[i]) - expected.begin();
    excess = std::max(excess, static_cast<double>(i + 1) / k - static_cast<double>(within) / m);
  }
  const double size = std::sqrt(m * k / (m + k)), p = std::exp(-2 * size * size * excess * excess);
  f.verdict = judge(excess, p, 0.15, 0.3);
  f.message = text("samples are %s near single rows than other rows are: excess %.3f (%s)",
                   f.verdict == Verdict::ok ? "not more often" : "more often", excess, chance_words(p).c_str());
  if (f.verdict != Verdict::ok) f.message += ": the model repeats rows that it was trained on";
  f.numbers = {{"rows", n},
               {"excess", excess},
               {"p", p},
               {"median_distance_of_rows", expected[expected.size() / 2]},
               {"median_distance_of_samples", found[found.size() / 2]}};
  return f;
}

// Latents are independent of the context if the conditional distributions are right: compared within the quarters of each
// context column.
Finding check_conditionals(const CheckedModel& s, uint64_t seed) {
  Finding f{"conditionals", Verdict::none, {}, {}};
  const auto cols = static_cast<size_t>(s.info.latent_size), contexts = static_cast<size_t>(s.info.context_size);
  const std::vector<double> all = s.contexts(s.rows);
  const std::vector<double> z = s.latents(), base = s.base(s.rows, seed);
  Worst worst;
  for (size_t e = 0; e < contexts; ++e) {
    std::vector<double> order = column_of(all, contexts, e);
    std::sort(order.begin(), order.end());
    for (int64_t bin = 0; bin < kBins; ++bin) {
      const auto edge = [&](int64_t k) {
        return k == kBins ? INFINITY : order[static_cast<size_t>(k * static_cast<int64_t>(order.size()) / kBins)];
      };
      std::vector<double> a, b;
      const double low = bin ? edge(bin) : -INFINITY, high = edge(bin + 1);
      for (size_t r = 0; r < static_cast<size_t>(s.rows); ++r) {
        if (const double v = all[r * contexts + e]; !(v >= low && v < high)) continue;
        a.insert(a.end(), z.begin() + static_cast<int64_t>(r * cols), z.begin() + static_cast<int64_t>((r + 1) * cols));
        b.insert(b.end(), base.begin() + static_cast<int64_t>(r * cols),
                 base.begin() + static_cast<int64_t>((r + 1) * cols));
      }
      if (static_cast<int64_t>(a.size() / cols) < kBinRows) continue;
      for (size_t j = 0; j <= cols; ++j) {
        const Distance d = j == cols ? compare(radii_of(a, cols), radii_of(b, cols))
                                     : compare(column_of(a, cols, j), column_of(b, cols, j));
        worst.take(d.d, d.p, e * static_cast<size_t>(kBins) + static_cast<size_t>(bin));
      }
    }
  }
  if (!worst.compared) {
    f.message =
        text("not judged: it needs %lld rows with different contexts", static_cast<long long>(kBins * kBinRows));
    return f;
  }
  // Bins are a quarter of the rows, so distances in them are noisier than those of check_latents.
  f.verdict = judge(worst.effect, worst.corrected(), 0.1, 0.2);
  f.message = text(
      "z in quarters of each context column against draws of the base: largest difference in quarter %zu of "
      "context column %zu, D = %.3f (%s)",
      worst.at % static_cast<size_t>(kBins) + 1, worst.at / static_cast<size_t>(kBins), worst.effect,
      chance_words(worst.corrected()).c_str());
  if (f.verdict != Verdict::ok) f.message += ": the model does not follow this context";
  f.numbers = {{"context_column", worst.at / static_cast<size_t>(kBins)},
               {"quarter", worst.at % static_cast<size_t>(kBins)},
               {"distance", worst.effect},
               {"p", worst.corrected()},
               {"comparisons", worst.compared}};
  return f;
}

}  // namespace cli
