// The Renyi bound, -log mean((p~/q)^(1 - a)) / (1 - a) over x ~ q (Li and Turner 2016, eq. 5). The coefficients are
// each row's share of the sum of (p~/q)^(1 - a), a softmax over the rows of all ranks. a = 1 is reverse_kl.
#include <algorithm>
#include <cmath>

#include "src/objective/target_sampler.h"

namespace libnf {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Alpha final : public Objective {
 public:
  struct Config : libnf::Config {
    SamplerConfig sampler;
    double renyi_alpha = 0.5;
    void fields(Fields& f) override {
      sampler.fields(f);
      f.real("renyi_alpha",
             "order of the Renyi bound; 0: the importance-weighted bound, near 1: reverse_kl, below 0: an upper bound",
             renyi_alpha, -20, 20);
    }
  };
  Alpha(const Config& c, const ObjectiveScope& s)
      : Objective(s), power_(1 - c.renyi_alpha), sampler_(s, c.sampler, true) {}
  int64_t samples() const override { return sampler_.rows(); }
  uint64_t settles() const override { return sampler_.annealed(); }
  size_t bytes() const override { return sampler_.bytes(); }
  Room prepare(int64_t) override { return sampler_.prepare(*target_, 0); }
  void measure(Lane& lane, const Room& room) override { sampler_.measure(lane, room); }
  Loss run(Lanes& lanes, const Batch& batch) override {
    sampler_.run(
        lanes, batch, *target_, [](Lane&) {}, [&] { weigh(); });
    return loss();
  }
  void report(Lane& lane, const Batch&, uint64_t step) override { sampler_.report(lane, step, power_ > 0); }

 private:
  void weigh();
  Loss loss() const;

  double power_;  // 1 - a
  TargetSampler sampler_;
  double log_mean_ = 0, relative_error_ = 0;  // mean and error of (p~/q)^(1 - a)
};

void Alpha::weigh() {
  if (power_ == 0) return;  // reverse_kl: the coefficients are already set
  const Collective& collective = scope_.collective;
  double* c = sampler_.coefficients();
  const int64_t n = sampler_.rows();
  double high = -kInfinity;
  for (int64_t r = 0; r < n; ++r) {
    c[r] = -power_ * sampler_.log_ratio(r);
    if (!(c[r] <= high)) high = c[r];  // also true for NaN
  }
  if (collective.world > 1) {  // the maximum over ranks, computed with a sum
    std::vector<double> highs(static_cast<size_t>(collective.world));
    highs[static_cast<size_t>(collective.rank)] = high;
    collective.sum(highs.data(), collective.world, DType::f64, "weights of samples");
    for (const double h : highs)
      if (!(h <= high)) high = h;
  }
  double sums[2] = {0, 0};
  for (int64_t r = 0; r < n; ++r) {
    c[r] = std::exp(c[r] - high);
    sums[0] += c[r];
    sums[1] += c[r] * c[r];
  }
  collective.sum(sums, 2, DType::f64, "weights of samples");
  for (int64_t r = 0; r < n; ++r) c[r] /= sums[0];
  const double total = sampler_.total();
  log_mean_ = high + std::log(sums[0] / total);
  relative_error_ = std::sqrt(std::max(0.0, total * sums[1] / (sums[0] * sums[0]) - 1) / std::max(1.0, total - 1));
}

Loss Alpha::loss() const {
  if (power_ == 0) return sampler_.mean_log_ratio();
  // Reports a non-finite gradient of the target (a NaN log ratio), even if that row's weight is negligible.
  for (int64_t r = 0; r < sampler_.rows(); ++r)
    if (std::isnan(sampler_.log_ratio(r))) return {kUnknown, kUnknown};
  return {-log_mean_ / power_, relative_error_ / std::abs(power_)};
}

}  // namespace

NF_PART(Objective, alpha, Alpha, "-log mean((p/q)^(1 - a)) / (1 - a) over samples of the model, a = renyi_alpha",
        "Li and Turner 2016, eq. 5", false, true);

}  // namespace libnf
