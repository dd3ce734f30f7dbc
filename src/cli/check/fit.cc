// Checks of log-likelihoods: data against the model's own samples, and against the rows it was trained on. See check.h.
#include <algorithm>
#include <cmath>

#include "src/cli/check/check.h"
#include "src/cli/check/two_sample.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {

// Half the standard deviation that log p of a normal with as many columns has.
double tolerance(const CheckedModel& s) {
  return 0.5 * std::sqrt(std::max(1.0, static_cast<double>(s.info.event_size) / 2));
}

}  // namespace

// A model that fits gives data and its own samples the same log-likelihoods. Data that is lower is not what the model
// makes; data that is higher lies where a model that is too wide, or made of modes that the data does not have, is densest.
Finding check_fit(const CheckedModel& s, const Finding& data, const Finding& samples, uint64_t seed) {
  Finding f{"fit", Verdict::none, {}, {}};
  const double of_data = data.numbers["mean"].get<double>(), of_samples = samples.numbers["mean"].get<double>();
  const double gap = of_samples - of_data;
  const double error = std::hypot(samples.numbers["two_standard_errors"].get<double>(),
                                  data.numbers["two_standard_errors"].get<double>()) /
                       2;
  const double allowed = tolerance(s);
  std::vector<double> a = s.log_prob(s.x, s.c), b = s.sample(5 * s.rows, seed).log_prob;
  for (std::vector<double>* v : {&a, &b}) std::erase_if(*v, [](double p) { return std::isnan(p); });
  const Distance d = compare(a, b);
  f.numbers = {{"gap", gap}, {"standard_error", error}, {"allowed", allowed}, {"distance", d.d}, {"p", d.p}};
  if (!std::isfinite(gap) || !std::isfinite(error)) {
    f.message = "not judged: it needs two rows and two samples with a finite density";
    return f;
  }
  const bool apart = std::abs(gap) > 5 * error;
  const bool far = apart && std::abs(gap) > allowed, other = d.p < 1e-3 && d.d > 0.1;
  f.verdict = (apart && std::abs(gap) > 4 * allowed) || (d.p < 1e-3 && d.d > 0.25) ? Verdict::fail
              : far || other                                                       ? Verdict::look
                                                                                   : Verdict::ok;
  f.message = text("mean log-likelihood %.4f on the data, %.4f on the model's own samples: the data is %.3g nats %s",
                   of_data, of_samples, std::abs(gap), gap > 0 ? "lower" : "higher");
  f.message += far ? text(", more than the tolerance of %.2g", allowed) : text(" (tolerance %.2g)", allowed);
  f.message += text("; the two distributions differ by D = %.3f", d.d);
  if (f.verdict != Verdict::ok)
    f.message += gap > 0 ? ": the model does not fit these rows"
                         : ": the model is wider than these rows, or was trained on them until it repeats them";
  return f;
}

Finding check_training(const CheckedModel& s, const Finding& data, const Summary& training, const std::string& file) {
  Finding f{"overfit", Verdict::none, {}, {}};
  const double mean = data.numbers["mean"].get<double>(), gap = training.mean - mean;
  const double error = std::hypot(training.two_errors, data.numbers["two_standard_errors"].get<double>()) / 2;
  f.numbers = {{"gap", gap}, {"standard_error", error}, {"training_mean", training.mean}};
  if (!std::isfinite(gap) || !std::isfinite(error)) {
    f.message = "not judged: it needs two rows with a finite density in both files";
    return f;
  }
  const double allowed = tolerance(s) / 2;
  const bool apart = gap > 4 * error;
  f.verdict = apart && gap > 4 * allowed ? Verdict::fail : apart && gap > allowed ? Verdict::look : Verdict::ok;
  f.message = text("mean log-likelihood %.4f on the rows of %s, %.4f on the data: the training rows are %.3g nats %s",
                   training.mean, file.c_str(), mean, std::abs(gap), gap > 0 ? "higher" : "lower");
  f.message += f.verdict == Verdict::ok
                   ? text(" (tolerance %.2g)", allowed)
                   : text(
                         ", more than the tolerance of %.2g: the model is fitted too closely to "
                         "the rows it was trained on; use --patience, fewer parameters or more rows",
                         allowed);
  return f;
}

}  // namespace cli
