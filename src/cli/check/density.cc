// Checks of the density and of samples (mass, extreme inputs, agreement), and the speed measurement. See check.h.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "src/cli/check/check.h"
#include "src/cli/check/numbers.h"
#include "src/cli/common/fit_notes.h"

namespace cli {
namespace {
using Clock = std::chrono::steady_clock;

int64_t samples_for(const CheckedModel& s) {
  return std::clamp<int64_t>((int64_t{1} << 21) / s.info.event_size, 100, 10'000);
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Returns the rows per second of f(), which handles `rows` rows, repeated for a quarter of a second.
template <class F>
double rate(int64_t rows, const F& f) {
  f();
  int64_t done = 0;
  const auto start = Clock::now();
  while (seconds_since(start) < 0.25) {
    f();
    done += rows;
  }
  return static_cast<double>(done) / seconds_since(start);
}

std::string shown_rate(double n) {
  return n >= 1e6 ? text("%.1f M", n / 1e6) : n >= 1e4 ? text("%.0f k", n / 1e3) : text("%.0f", n);
}
}  // namespace

Finding check_data_rows(const CheckedModel& s) {
  const std::vector<double> values = s.log_probs_of_data();
  const Summary all = summarize(values);
  int64_t of_numbers = 0;  // rows of finite numbers without a finite density
  if (all.nonfinite) {
    const size_t cols = static_cast<size_t>(s.info.event_size);
    const std::vector<double> some = s.log_prob(s.x, s.c);
    for (size_t r = 0; r < some.size(); ++r) {
      const bool numbers =
          std::all_of(s.x.begin() + static_cast<int64_t>(r * cols), s.x.begin() + static_cast<int64_t>((r + 1) * cols),
                      [](double v) { return std::isfinite(v); });
      of_numbers += numbers && !std::isfinite(some[r]);
    }
  }
  Finding f{"data", Verdict::ok, {}, {}};
  if (all.nonfinite) f.verdict = all.nonfinite == all.rows || of_numbers ? Verdict::fail : Verdict::look;
  const std::string mean = "log-likelihood " + mean_and_errors(all) + " (2 standard errors)";
  f.message = all.nonfinite ? text("%s of %s have no finite log-likelihood; for the others, %s",
                                   grouped(all.nonfinite).c_str(), counted(all.rows, "row").c_str(), mean.c_str())
                            : text("%s, all with a finite density; %s", counted(all.rows, "row").c_str(), mean.c_str());
  f.numbers = {
      {"rows", all.rows}, {"nonfinite", all.nonfinite}, {"mean", all.mean}, {"two_standard_errors", all.two_errors},
      {"min", all.min},   {"median", all.median},       {"max", all.max}};
  return f;
}

Finding check_stress(const CheckedModel& s) {
  Finding f{"stress", Verdict::ok, {}, nlohmann::ordered_json::array()};
  std::string words;
  bool calm = true;
  for (const double factor : {10.0, 100.0, 1e6}) {
    std::vector<double> x = s.x;
    for (double& v : x) v = std::isfinite(v) ? v * factor : 0;
    int64_t nan = 0, below = 0, above = 0;
    for (const double v : s.log_prob(x, s.c)) {
      nan += std::isnan(v);
      below += v == -std::numeric_limits<double>::infinity();
      above += v == std::numeric_limits<double>::infinity();
    }
    if (above) f.verdict = Verdict::fail;
    if (nan && f.verdict == Verdict::ok) f.verdict = Verdict::look;
    calm = calm && !nan && !below && !above;
    words += text("%stimes %g: ", words.empty() ? "data " : "; ", factor);
    if (!nan && !below && !above) words += "all finite";
    if (nan) words += text("%lld NaN ", static_cast<long long>(nan));
    if (below) words += text("%lld at -infinity ", static_cast<long long>(below));
    if (above) words += text("%lld at +infinity ", static_cast<long long>(above));
    if (words.back() == ' ') words.pop_back();
    f.numbers.push_back(
        {{"factor", factor}, {"rows", s.rows}, {"nan", nan}, {"minus_infinity", below}, {"plus_infinity", above}});
  }
  f.message = calm ? "data times 10, 100 and 1e6: all densities stay finite"
                   : words + text(" (of %s)", counted(s.rows, "row").c_str());
  return f;
}

Finding check_samples(const CheckedModel& s, uint64_t seed) {
  const int64_t n = samples_for(s);
  const CheckedModel::Samples samples = s.sample(n, seed);
  const auto cols = static_cast<size_t>(s.info.event_size);
  int64_t finite = 0;
  for (int64_t r = 0; r < n; ++r) {
    const auto at = samples.x.begin() + r * s.info.event_size;
    finite += std::all_of(at, at + static_cast<int64_t>(cols), [](double v) { return std::isfinite(v); });
  }
  Finding f{"samples", Verdict::ok, {}, {}};
  if (finite < n)
    f.verdict = static_cast<double>(finite) >= 0.999 * static_cast<double>(n) ? Verdict::look : Verdict::fail;
  const Summary mean = summarize(samples.log_prob);
  f.message = text("%s of %s are finite; their log-likelihood is %s", finite == n ? "all" : grouped(finite).c_str(),
                   counted(n, "sample").c_str(), mean_and_errors(mean).c_str());
  f.numbers = {{"samples", n}, {"finite", finite}, {"mean", mean.mean}, {"two_standard_errors", mean.two_errors}};
  return f;
}

Finding check_target(const nlohmann::ordered_json& notes) {
  Finding f{"target", Verdict::none, {}, notes};
  const std::string target = shown(notes["target"]);
  if (const std::string missed = missed_target(notes); !missed.empty()) {
    f.verdict = Verdict::fail;
    f.message = "nf fit-target found that " + missed + ": the model misses part of " + target;
  } else if (notes.contains("known_log_z")) {
    f.verdict = Verdict::ok;
    f.message = "nf fit-target found the known log Z of " + target;
    if (notes["above_best"].is_number())
      f.message += text(", and a reverse KL of %.3g nats", notes["above_best"].get<double>());
  } else {
    f.message = "not judged: log Z of " + target + " is unknown, so a part that the model never reaches would not show";
  }
  return f;
}

Finding check_sample_densities(const CheckedModel& s, uint64_t seed) {
  const int64_t n = std::min<int64_t>(samples_for(s), 2000);
  const CheckedModel::Samples samples = s.sample(n, seed);
  const std::vector<double> again = s.log_prob(samples.x, s.contexts(n));
  std::vector<double> errors;
  for (size_t r = 0; r < again.size(); ++r)
    errors.push_back(std::abs(again[r] - samples.log_prob[r]) / std::max(1.0, std::abs(again[r])));
  const Spread e = spread_of(errors);
  Finding f{"sample log-prob", Verdict::ok, {}, {}};
  if (e.p99 > 1e6 * s.epsilon() || (e.nonfinite && e.nonfinite * 1000 > n))
    f.verdict = Verdict::fail;
  else if (e.max > 1e5 * s.epsilon() || e.nonfinite)
    f.verdict = Verdict::look;
  f.message = "nf_sample against nf_log_prob on the same rows: off by " + e.words();
  f.numbers = {{"samples", n}, {"error", e.json()}};
  return f;
}

Finding measure_speed(const CheckedModel& s, uint64_t seed) {
  const int64_t n = samples_for(s);
  const double scored = rate(s.rows, [&] { (void)s.log_prob(s.x, s.c); });
  const double sampled = rate(n, [&] { (void)s.sample(n, seed); });
  const std::vector<double> one = s.row(0), context = s.one_context(0);
  std::vector<double> times;
  for (int i = 0; i < 200 && (i < 20 || times.size() < 20 || i * times.back() < 0.5); ++i) {
    const auto start = Clock::now();
    (void)s.log_prob(one, context);
    times.push_back(seconds_since(start));
  }
  const Spread t = spread_of(times);
  Finding f{"speed", Verdict::none, {}, {}};
  f.message = text("scores %s rows/s, samples %s rows/s; one row in %.0f us (99 %%: %.0f us)",
                   shown_rate(scored).c_str(), shown_rate(sampled).c_str(), t.median * 1e6, t.p99 * 1e6);
  f.numbers = {{"log_prob_rows_per_second", scored},
               {"sample_rows_per_second", sampled},
               {"one_row_median_seconds", t.median},
               {"one_row_p99_seconds", t.p99}};
  return f;
}

}  // namespace cli
