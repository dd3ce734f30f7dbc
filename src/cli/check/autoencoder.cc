// Checks of what only variational autoencoders have: whether the posterior is near the true one, and whether the decoder
// uses the latents. See check.h.
#include <algorithm>
#include <cmath>

#include "src/cli/check/check.h"
#include "src/cli/check/numbers.h"
#include "src/cli/common/active_units.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
constexpr int64_t kDraws = 200, kEvidenceRows = 100;
}

// log p(x) by importance sampling: how far the bound is below it, and whether its weights can be trusted.
Finding check_evidence(const CheckedModel& s, uint64_t seed) {
  const int64_t n = std::min(s.rows, kEvidenceRows);
  double bound = 0, evidence = 0, variance = 0, effective = 0;
  int64_t heavy = 0, used = 0;
  for (int64_t k = 0; k < n; ++k) {
    const int64_t r = k * s.rows / n;
    const std::optional<nf::ImportanceInfo> info = s.weigh_posterior(r, kDraws, seed);
    if (!info) continue;
    ++used;
    bound -= info->reverse_kl;
    evidence += info->log_z;
    variance += info->log_z_error * info->log_z_error;
    effective += info->ess_fraction;
    heavy += !(info->pareto_k <= info->pareto_k_limit);
  }
  Finding f{"posterior", Verdict::none, {}, {}};
  if (!used) {
    f.message = "not judged: no row has a finite log-likelihood";
    return f;
  }
  const auto m = static_cast<double>(used);
  bound /= m, evidence /= m, effective /= m;
  f.numbers = {{"rows", used},
               {"draws", kDraws},
               {"bound", bound},
               {"log_prob", evidence},
               {"gap", evidence - bound},
               {"standard_error", std::sqrt(variance) / m},
               {"effective_share", effective},
               {"rows_with_heavy_tails", heavy}};
  f.message = text(
      "log p(x) of %s is %.4g with %lld draws each, %.3g nats above the bound of one draw; %.2g %% of the draws count "
      "(effective sample size)",
      counted(used, "row").c_str(), evidence, static_cast<long long>(kDraws), evidence - bound, 100 * effective);
  // Half of the rows: the weights of a few are always heavy.
  f.verdict = 2 * heavy > used ? Verdict::look : Verdict::ok;
  if (f.verdict != Verdict::ok)
    f.message += text(
        "; the weights of %s have tails too heavy for a trustworthy estimate (Pareto k): the posterior is far from the "
        "true one. Use more draws (nf score --score-samples 5000), or give it layers",
        counted(heavy, "row").c_str());
  return f;
}

Finding check_active_units(const CheckedModel& s) {
  const CheckedModel::Posterior q = s.posterior();
  const ActiveUnits u = active_units(q.mean, q.log_var, s.info.latent_size);
  Finding f{"active latents", Verdict::ok, u.words(), u.json()};
  if (s.rows < 2)
    f.verdict = Verdict::none, f.message = "not judged: it needs two rows";
  else if (u.active == 0)
    f.verdict = Verdict::fail, f.message += ": " + ActiveUnits::collapse_advice();
  return f;
}

}  // namespace cli
