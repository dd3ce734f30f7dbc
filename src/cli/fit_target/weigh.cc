// See weigh.h.
#include "src/cli/fit_target/weigh.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/cli/common/failure.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

// Compares the samples' log weights with those of rows of the target.
nf::CoverageInfo compare(const FitPlan& plan, nf::Session& session, const Data& rows,
                         const std::vector<double>& log_weight) {
  const std::vector<double> numbers = rows.x.view().to_vector<double>();  // a target reads no bytes
  const nf::View x(numbers, rows.x.cols());
  std::vector<double> log_p(static_cast<size_t>(x.rows()));
  plan.target.log_density(x, log_p);
  const std::vector<double> log_q = session.log_prob<double>(x);
  for (size_t i = 0; i < log_p.size(); ++i) {
    if (std::isinf(log_p[i]))
      throw Failure("the target's density is 0 at row " + std::to_string(i) + " of --check",
                    "--check takes rows drawn from the target");
    log_p[i] -= log_q[i];
  }
  return nf::importance_coverage(log_weight, log_p);
}

// In place of the numbers of the weights as they are, those of the smoothed ones.
void take_smoothed(nf::ImportanceInfo& i) {
  i.log_z = i.smoothed_log_z;
  i.log_z_error = i.smoothed_log_z_error;
  i.ess = i.smoothed_ess;
  i.ess_fraction = i.ess / static_cast<double>(i.samples);
}
}  // namespace

std::string nats(double v) { return std::abs(v) < 1e6 ? text("%.4f", v) : text("%.6g", v); }

Weighed weigh(const FitArgs& a, FitPlan& plan) {
  nf::Session session(plan.model, a.settings->options({"session"}));
  std::vector<double> log_weight(plan.check ? static_cast<size_t>(a.importance_samples) : 0);
  Weighed w{};
  try {
    // Use samples that the fit has not seen.
    w.found = session.importance(plan.target, a.importance_samples, /*seed=*/uint64_t{1} << 40, {},
                                 plan.check ? nf::Out(log_weight) : nf::Out());
    if (plan.check) w.rows = compare(plan, session, plan.check, log_weight);
  } catch (const nf::Exception& e) {
    throw Failure(std::string("importance sampling of the fitted model failed: ") + e.what(),
                  a.checkpoint + " holds the model; --resume with fewer --weigh samples may avoid the row");
  }
  if (a.smooth) take_smoothed(w.found);
  return w;
}

Json weights_summary(const FitArgs& a, const FitPlan& plan, const Weighed& w) {
  const bool normalizable = !std::isinf(plan.log_z);
  const auto only = [&](double v) { return normalizable && std::isfinite(v) ? Json(v) : Json(); };
  Json j = {{"normalizable", normalizable},
            {"log_z", only(w.found.log_z)},
            {"log_z_error", only(w.found.log_z_error)},
            {"ess", only(w.found.ess)},
            {"ess_fraction", only(w.found.ess_fraction)},
            {"smoothed", a.smooth},
            {"pareto_k", only(w.found.pareto_k)},
            {"pareto_k_limit", w.found.pareto_k_limit},
            {"samples", w.found.samples}};
  if (w.rows)
    j["rows"] = {{"samples", w.rows->target_samples},
                 {"log_z", only(w.rows->log_z)},
                 {"log_z_error", only(w.rows->log_z_error)},
                 {"deviation", only(w.rows->deviation)},
                 {"forward_kl", only(w.rows->forward_kl)},
                 {"forward_kl_error", only(w.rows->forward_kl_error)},
                 {"outside", w.rows->outside},
                 {"outside_p", w.rows->outside_p}};
  return j;
}

void report_weights(const FitArgs& a, const FitPlan& plan, const Weighed& w, const std::string& missed,
                    const Screen& screen) {
  const nf::ImportanceInfo& found = w.found;
  const bool known = !std::isnan(plan.log_z);
  std::printf("%s  %s by importance sampling%s%s\n", screen.bold("log Z").c_str(),
              screen.good(nats(found.log_z) + " +- " + nats(found.log_z_error)).c_str(),
              a.smooth ? " with smoothed weights" : "", known ? text(", known: %.4f", plan.log_z).c_str() : "");
  std::printf("%s    %.1f %% of %s effective\n", screen.bold("ess").c_str(), 100 * found.ess_fraction,
              (counted(found.samples, "sample") + (found.samples == 1 ? " is" : " are")).c_str());
  if (found.pareto_k <= found.pareto_k_limit)
    std::printf("%s   Pareto k %.2f, below %.2f: no heavy tail in the weights where the model has samples\n",
                screen.bold("tail").c_str(), found.pareto_k, found.pareto_k_limit);
  if (w.rows)
    std::printf("%s   forward KL %s +- %s, log Z %s +- %s from samples and %s of the target together\n",
                screen.bold("rows").c_str(), nats(w.rows->forward_kl).c_str(), nats(w.rows->forward_kl_error).c_str(),
                nats(w.rows->log_z).c_str(), nats(w.rows->log_z_error).c_str(),
                counted(w.rows->target_samples, "row").c_str());
  constexpr double kOneRules = 0.05;
  if (found.largest_share > kOneRules)
    std::fprintf(stderr, "nf: warning: one sample has %.0f %% of the total weight: these numbers are unreliable\n",
                 100 * found.largest_share);
  if (found.pareto_k > found.pareto_k_limit)
    std::fprintf(stderr,
                 "nf: warning: Pareto k is %.2f, above %.2f: the weights have so heavy a tail that log Z and ess are "
                 "unreliable\n      the model is too narrow somewhere: try more --steps or --samples, or "
                 "--objective symmetric\n",
                 found.pareto_k, found.pareto_k_limit);
  if (!missed.empty())
    std::fprintf(
        stderr,
        "nf: warning: %s: the model misses part of the target\n      try more --steps, --anneal-steps and --samples, "
        "or --objective symmetric\n",
        missed.c_str());
  else if (!known && !w.rows)
    std::fprintf(
        stderr,
        "nf: note: log Z is unknown, and neither log Z, ess nor Pareto k can show a part of the target that the "
        "model never reaches; --check FILE with rows of the target can\n");
}

}  // namespace cli
