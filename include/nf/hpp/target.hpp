// Densities known up to a factor, importance sampling and Markov chains: nf_infer.h. Include <nf/nf.hpp>.
#ifndef NF_HPP_TARGET_HPP_
#define NF_HPP_TARGET_HPP_
#include <nf/nf_infer.h>

#include <cmath>
#include <limits>
#include <nf/hpp/session.hpp>

NF_HPP_BEGIN

using TargetInfo = nf_target_info;

// What a target of the host computes in: the model's dtype, or float64 for every model (nf_target_create_callback_f64).
enum class Precision { of_model, f64 };

// To fit a flow to, to weight samples by, or to run Markov chains on.
class Target : public detail::Handle<nf_target, nf_target_free> {
 public:
  // Fills log_density [n] and, unless it is none, gradient [n, d] at the rows of x; ctx may be none. Returning false
  // stops the call that evaluates the target; an exception propagates out of it.
  using Function = std::function<bool(const View &x, const View &ctx, const Out &log_density, const Out &gradient)>;

  // A built-in target: "u1", or {"type": "u1", "radius": 4}.
  static Returned<Target> create(const Runtime &rt, std::string_view spec, int64_t event_size) {
    return create(rt.get(), spec, event_size);
  }
  static Returned<Target> create(std::string_view spec, int64_t event_size) {
    return create(nullptr, spec, event_size);
  }
  static Returned<Target> create(const Runtime &rt, int64_t event_size, Function f, Precision p = Precision::of_model) {
    return create(rt.get(), event_size, std::move(f), p);
  }
  static Returned<Target> create(int64_t event_size, Function f, Precision p = Precision::of_model) {
    return create(nullptr, event_size, std::move(f), p);
  }
#ifndef NF_NO_EXCEPTIONS
  Target(const Runtime &rt, std::string_view spec, int64_t event_size) : Target(create(rt.get(), spec, event_size)) {}
  Target(std::string_view spec, int64_t event_size) : Target(create(nullptr, spec, event_size)) {}
  Target(const Runtime &rt, int64_t event_size, Function f, Precision p = Precision::of_model)
      : Target(create(rt.get(), event_size, std::move(f), p)) {}
  Target(int64_t event_size, Function f, Precision p = Precision::of_model)
      : Target(create(nullptr, event_size, std::move(f), p)) {}
#endif
  explicit Target(nf_target *t) noexcept : Handle(t) {}  // takes ownership

  Returned<TargetInfo> info() const {
    TargetInfo i = NF_TARGET_INFO_INIT;
    const Error e = detail::invoke(nf_target_get_info, get(), &i);
    return detail::done(e, i);
  }
  Returned<void> log_density(const View &x, const Out &log_density, const Out &gradient = {},
                             const View &ctx = {}) const {
    return detail::done(evaluate(x, log_density, gradient, ctx));
  }
  // Returns the largest |gradient - central difference| / (1 + |gradient|) at the rows of x: about 1e-9 in double and
  // 1e-3 in float if the gradient is right, NaN if a density is not finite. Call it once before training, because a
  // wrong gradient trains without an error and gives a bad fit. Evaluates without a context.
  template <class T>
  Returned<double> gradient_error(const std::vector<T> &x) const;
  // Random-walk chains on the target: [draws, chains, event_size]. Options of scope "metropolis". Session::metropolis has
  // the samples of a model as proposals instead.
  template <class T = float>
  Returned<std::vector<T>> random_walk(const Runtime &rt, int64_t draws, int64_t count, const Options &options = {},
                                       const View &start = {}, MetropolisInfo *info = nullptr) const {
    return chains<T>(rt.get(), nullptr, draws, count, options, start, info, {});
  }
  template <class T = float>
  Returned<std::vector<T>> random_walk(int64_t draws, int64_t count, const Options &options = {},
                                       const View &start = {}, MetropolisInfo *info = nullptr) const {
    return chains<T>(nullptr, nullptr, draws, count, options, start, info, {});
  }

 private:
  friend class Session;
  friend class Trainer;
  struct State {
    Function function;
    detail::Thrown thrown;
  };
  static Returned<Target> create(nf_runtime *rt, std::string_view spec, int64_t event_size) {
    return detail::make<Target>(Options(), nf_target_create, rt, spec.data(), spec.size(), event_size);
  }
  static Returned<Target> create(nf_runtime *rt, int64_t event_size, Function f, Precision p) {
    auto state = std::make_shared<State>();
    state->function = std::move(f);
    nf_target *out = nullptr;
    const Error e = detail::invoke(p == Precision::f64 ? nf_target_create_callback_f64 : nf_target_create_callback, rt,
                                   event_size, &Target::call, static_cast<void *>(state.get()), &out);
    Target t(out);
    t.state_ = std::move(state);
    return detail::done(e, std::move(t));
  }
  static int32_t call(void *user, const nf_view *x, const nf_view *ctx, const nf_out *log_density,
                      const nf_out *gradient) {
    auto *s = static_cast<State *>(user);
    return s->thrown.run(-1, [&] {
      return s->function(View(*x), ctx ? View(*ctx) : View(), Out(*log_density), gradient ? Out(*gradient) : Out()) ? 0
                                                                                                                    : 1;
    });
  }
  // Called after each call that may have evaluated the target.
  static void rethrow(const std::shared_ptr<State> &state) {
    if (state) state->thrown.rethrow();
  }
  Error evaluate(const View &x, const Out &log_density, const Out &gradient, const View &ctx) const {
    const Error e = detail::invoke(nf_target_log_density, get(), x.raw(), ctx.raw(), log_density.raw(), gradient.raw());
    rethrow(state_);
    return e;
  }
  template <class T>
  Returned<std::vector<T>> chains(nf_runtime *rt, nf_session *proposal, int64_t draws, int64_t count,
                                  const Options &options, const View &start, MetropolisInfo *info,
                                  const View &ctx) const {
    TargetInfo i = NF_TARGET_INFO_INIT;
    Error e = options.error();
    if (!e) e = detail::invoke(nf_target_get_info, get(), &i);
    std::vector<T> out(e ? 0 : detail::elements(draws * count, i.event_size));
    if (!e)
      e = detail::invoke(nf_metropolis, rt, get(), proposal, options.get(), start.raw(), ctx.raw(),
                         Out(out.data(), {draws, count, i.event_size}).raw(), info);
    rethrow(state_);
    return detail::done(e, std::move(out));
  }
  std::shared_ptr<State> state_;  // null for a built-in target
};

template <class T>
Returned<double> Target::gradient_error(const std::vector<T> &x) const {
  TargetInfo i = NF_TARGET_INFO_INIT;
  Error e = detail::invoke(nf_target_get_info, get(), &i);
  if (e) return detail::done(e, 0.0);
  const auto d = static_cast<size_t>(i.event_size);
  const View rows(x, i.event_size);
  const auto n = static_cast<size_t>(rows.rows());
  std::vector<T> gradient(x.size()), low(n), high(n), below, above;
  e = evaluate(rows, low, Out(gradient, i.event_size), {});
  const double step = std::cbrt(static_cast<double>(std::numeric_limits<T>::epsilon()));
  double worst = 0;
  const auto moved = [&](size_t column, double sign) {
    std::vector<T> to = x;
    for (size_t k = column; k < to.size(); k += d) {
      const auto at = static_cast<double>(x[k]);
      to[k] = static_cast<T>(at + sign * step * std::fmax(1, std::fabs(at)));
    }
    return to;
  };
  for (size_t c = 0; !e && c < d; ++c) {
    below = moved(c, -1), above = moved(c, 1);
    e = evaluate(View(below, i.event_size), low, {}, {});
    if (!e) e = evaluate(View(above, i.event_size), high, {}, {});
    for (size_t r = 0; !e && r < n; ++r) {
      const size_t k = r * d + c;
      const double slope = (static_cast<double>(high[r]) - static_cast<double>(low[r])) /
                           (static_cast<double>(above[k]) - static_cast<double>(below[k]));
      const auto g = static_cast<double>(gradient[k]);
      const double off = std::fabs(g - slope) / (1 + std::fabs(g));
      if (!(off <= worst)) worst = off;  // written so that NaN counts as an error
    }
  }
  return detail::done(e, worst);
}

// All built-in targets as JSON: see nf_targets_describe.
inline std::string describe_targets() { return detail::text(nf_targets_describe()); }

inline Returned<ImportanceInfo> Session::importance(const Target &target, int64_t n, const Sampling &how, const Out &x,
                                                    const Out &log_weight, const View &ctx) {
  ImportanceInfo info = NF_IMPORTANCE_INFO_INIT;
  Error e;
  if (how.repeat != 1 || how.temperature < 1 || how.temperature > 1)
    e = detail::error(NF_ERR_ARGUMENT, "nf::Session::importance: repeat and temperature must be 1");
  else
    e = detail::invoke(nf_importance, get(), target.get(), how.seed, how.first, n, ctx.raw(), x.raw(), log_weight.raw(),
                       &info);
  Target::rethrow(target.state_);
  return detail::done(e, info);
}

template <class T>
Returned<std::vector<T>> Session::metropolis(const Runtime &rt, const Target &target, int64_t draws, int64_t chains,
                                             const Options &options, const View &start, MetropolisInfo *info,
                                             const View &ctx) {
  return target.chains<T>(rt.get(), get(), draws, chains, options, start, info, ctx);
}
template <class T>
Returned<std::vector<T>> Session::metropolis(const Target &target, int64_t draws, int64_t chains,
                                             const Options &options, const View &start, MetropolisInfo *info,
                                             const View &ctx) {
  return target.chains<T>(nullptr, get(), draws, chains, options, start, info, ctx);
}

// Self-normalized estimates of E[g] under a target, from values g [n, k] at samples with the given log weights, and their
// standard errors.
struct Estimate {
  std::vector<double> mean, error;
};
inline Returned<Estimate> importance_mean(const View &log_weight, const View &values) {
  const size_t k = detail::elements(values.cols());
  Estimate e{std::vector<double>(k), std::vector<double>(k)};
  const Error error =
      detail::invoke(nf_importance_mean, log_weight.raw(), values.raw(), Out(e.mean).raw(), Out(e.error).raw());
  return detail::done(error, std::move(e));
}
// Mean of a score: see nf_score_mean. Throws on NaN.
using ScoreInfo = nf_score_info;
inline Returned<ScoreInfo> score_mean(const View &log_prob, const View &weight = {}) {
  ScoreInfo info = NF_SCORE_INFO_INIT;
  const Error error = detail::invoke(nf_score_mean, log_prob.raw(), weight.raw(), &info);
  return detail::done(error, info);
}
// Log weights with the largest ones smoothed, and the Pareto k of the fit to them: see nf_importance_smooth.
struct Smoothed {
  std::vector<double> log_weight;
  double pareto_k;
};
inline Returned<Smoothed> importance_smooth(const View &log_weight) {
  Smoothed s{std::vector<double>(detail::elements(log_weight.rows())), 0};
  const Error e = detail::invoke(nf_importance_smooth, log_weight.raw(), Out(s.log_weight).raw(), &s.pareto_k);
  return detail::done(e, std::move(s));
}
// Compares log weights of samples with those of rows of the target: see nf_importance_coverage.
inline Returned<CoverageInfo> importance_coverage(const View &log_weight, const View &target_log_weight) {
  CoverageInfo info = NF_COVERAGE_INFO_INIT;
  const Error e = detail::invoke(nf_importance_coverage, log_weight.raw(), target_log_weight.raw(), &info);
  return detail::done(e, info);
}

NF_HPP_END
#endif  // NF_HPP_TARGET_HPP_
