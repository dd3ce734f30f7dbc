// nf::Session: scores, maps, samples and differentiates with a model. Include <nf/nf.hpp>.
#ifndef NF_HPP_SESSION_HPP_
#define NF_HPP_SESSION_HPP_
#include <nf/hpp/model.hpp>

NF_HPP_BEGIN

class Target;  // nf/hpp/target.hpp
template <class T>
class Samples;  // nf/hpp/samples.hpp
using ImportanceInfo = nf_importance_info;
using CoverageInfo = nf_coverage_info;
using MetropolisInfo = nf_metropolis_info;

enum class Direction : nf_direction { forward = NF_FORWARD, inverse = NF_INVERSE };

// Which samples: first .. first + n - 1 of the stream `seed`. With repeat = m, each row of the context has m of them. The
// temperature multiplies the base's deviation from its mean.
struct Sampling {
  Sampling(uint64_t stream = 0, uint64_t first_index = 0, int64_t samples_per_context = 1, double factor = 1)
      : seed(stream), first(first_index), repeat(samples_per_context), temperature(factor) {}
  uint64_t seed, first;
  int64_t repeat;
  double temperature;
  nf_sampling raw() const noexcept {
    nf_sampling s = NF_SAMPLING_INIT;
    s.seed = seed, s.first_index = first, s.repeat = repeat, s.temperature = temperature;
    return s;
  }
};

// log_prob [n], and its gradients dx [n, event_size] and dctx [n, context_size].
template <class T>
struct LogProbGrad {
  std::vector<T> log_prob, dx, dctx;
};
// A map's results and the cotangents of its inputs.
template <class T>
struct Pullback {
  std::vector<T> to, log_det, d_from, d_ctx;
};
// A map's results and their tangents.
template <class T>
struct Pushforward {
  std::vector<T> to, log_det, tan_to, tan_log_det;
};

namespace detail {
inline size_t elements(int64_t n, int64_t columns = 1) noexcept {
  return n > 0 && columns > 0 ? static_cast<size_t>(n) * static_cast<size_t>(columns) : 0;
}
}  // namespace detail

// Scratch memory for one thread at a time; any number of sessions share a model. The members that return vectors exist
// with "_into" too, which write to memory of the caller and allocate nothing. Rows are [n, event_size]; ctx is [n or 1,
// context_size], or none for a model without context; outs that are none are not written.
class Session : public detail::Handle<nf_session, nf_session_free> {
 public:
  // Options of scope "session".
  static Returned<Session> create(const Model &m, const Options &options = {}) {
    nf_session *s = nullptr;
    ModelInfo info = NF_MODEL_INFO_INIT;
    Error e = options.error();
    if (!e) e = detail::invoke(nf_model_get_info, m.get(), &info);
    if (!e) e = detail::invoke(nf_session_create, m.get(), options.get(), &s);
    return detail::done(e, Session(s, info));
  }
#ifndef NF_NO_EXCEPTIONS
  explicit Session(const Model &m, const Options &options = {}) : Session(create(m, options)) {}
#endif
  // Takes ownership of a session of a model with that info.
  Session(nf_session *s, const ModelInfo &info) noexcept
      : Handle(s),
        event_size_(info.event_size),
        latent_size_(info.latent_size),
        context_size_(info.context_size),
        layers_(info.layer_count) {}

  // log_prob of every row, in nats.
  template <class T = float>
  Returned<std::vector<T>> log_prob(const View &x, const View &ctx = {}) {
    std::vector<T> out(detail::elements(x.rows()));
    const Error e = detail::invoke(nf_log_prob, get(), x.raw(), ctx.raw(), Out(out).raw());
    return detail::done(e, std::move(out));
  }
  Returned<void> log_prob_into(const Out &out, const View &x, const View &ctx = {}) {
    return detail::done(detail::invoke(nf_log_prob, get(), x.raw(), ctx.raw(), out.raw()));
  }
  // For latency: one row x [event_size], and its context or nullptr.
  Returned<double> log_prob_row(const double *x, const double *ctx = nullptr) {
    double value = 0;
    const Error e = detail::invoke(nf_log_prob_row, get(), x, ctx, &value);
    return detail::done(e, value);
  }

  // Maps x to z. log_det [n] is log |det dz/dx|.
  template <class T = float>
  Returned<std::vector<T>> forward(const View &x, const Out &log_det = {}, const View &ctx = {}) {
    std::vector<T> z(detail::elements(x.rows(), latent_size_));
    const Error e = detail::invoke(nf_forward, get(), x.raw(), ctx.raw(), Out(z.data(), x.rows(), latent_size_).raw(),
                                   log_det.raw());
    return detail::done(e, std::move(z));
  }
  Returned<void> forward_into(const Out &z, const Out &log_det, const View &x, const View &ctx = {}) {
    return detail::done(detail::invoke(nf_forward, get(), x.raw(), ctx.raw(), z.raw(), log_det.raw()));
  }
  // Maps z to x. log_det [n] is log |det dx/dz|.
  template <class T = float>
  Returned<std::vector<T>> inverse(const View &z, const Out &log_det = {}, const View &ctx = {}) {
    std::vector<T> x(detail::elements(z.rows(), event_size_));
    const Error e = detail::invoke(nf_inverse, get(), z.raw(), ctx.raw(), Out(x.data(), z.rows(), event_size_).raw(),
                                   log_det.raw());
    return detail::done(e, std::move(x));
  }
  Returned<void> inverse_into(const Out &x, const Out &log_det, const View &z, const View &ctx = {}) {
    return detail::done(detail::invoke(nf_inverse, get(), z.raw(), ctx.raw(), x.raw(), log_det.raw()));
  }
  // The rows before, between and after all layers: [layers + 1, n, columns], the first being `from`. log_det [layers, n]
  // is what each layer adds.
  template <class T = float>
  Returned<std::vector<T>> trace(const View &from, Direction d = Direction::forward, const View &ctx = {},
                                 const Out &log_det = {}) {
    std::vector<T> out(detail::elements((layers_ + 1) * from.rows(), event_size_));
    const Out states(out.data(), {layers_ + 1, from.rows(), event_size_});
    const Error e = detail::invoke(nf_trace, get(), raw(d), from.raw(), ctx.raw(), states.raw(), log_det.raw());
    return detail::done(e, std::move(out));
  }
  Returned<void> trace_into(const Out &out, const Out &log_det, const View &from, Direction d = Direction::forward,
                            const View &ctx = {}) {
    return detail::done(detail::invoke(nf_trace, get(), raw(d), from.raw(), ctx.raw(), out.raw(), log_det.raw()));
  }

  // Of a variational autoencoder: mean and log variance of z_0 given x, and a draw z of the posterior with its
  // log-density. Outs that are none are not written.
  Returned<void> encode_into(const Out &mean, const Out &log_var, const Out &z, const Out &log_q, const View &x,
                             const View &ctx = {}) {
    return detail::done(
        detail::invoke(nf_encode, get(), x.raw(), ctx.raw(), mean.raw(), log_var.raw(), z.raw(), log_q.raw()));
  }
  // The means of z_0 given x, [n, latent_size].
  template <class T = float>
  Returned<std::vector<T>> encode(const View &x, const View &ctx = {}) {
    std::vector<T> mean(detail::elements(x.rows(), latent_size_));
    const Error e = detail::invoke(nf_encode, get(), x.raw(), ctx.raw(), Out(mean.data(), x.rows(), latent_size_).raw(),
                                   nullptr, nullptr, nullptr);
    return detail::done(e, std::move(mean));
  }
  // The draw of the posterior and what its layers make of it, [K + 1, n, latent_size]; log_det [K, n].
  Returned<void> posterior_trace_into(const Out &out, const Out &log_det, const View &x, const View &ctx = {}) {
    return detail::done(detail::invoke(nf_posterior_trace, get(), x.raw(), ctx.raw(), out.raw(), log_det.raw()));
  }
  // The means of x given latents z, [n, event_size].
  template <class T = float>
  Returned<std::vector<T>> decode(const View &z, const View &ctx = {}) {
    std::vector<T> x(detail::elements(z.rows(), event_size_));
    const Error e = detail::invoke(nf_decode, get(), z.raw(), ctx.raw(), Out(x.data(), z.rows(), event_size_).raw());
    return detail::done(e, std::move(x));
  }
  Returned<void> decode_into(const Out &x, const View &z, const View &ctx = {}) {
    return detail::done(detail::invoke(nf_decode, get(), z.raw(), ctx.raw(), x.raw()));
  }

  // n samples: sample(n, seed), or sample(n, {seed, first}). log_prob [n] is the model's log-density at them.
  template <class T = float>
  Returned<std::vector<T>> sample(int64_t n, const Sampling &how = {}, const View &ctx = {}, const Out &log_prob = {}) {
    std::vector<T> out(detail::elements(n, event_size_));
    const nf_sampling s = how.raw();
    const Error e =
        detail::invoke(nf_sample, get(), &s, ctx.raw(), Out(out.data(), n, event_size_).raw(), log_prob.raw());
    return detail::done(e, std::move(out));
  }
  Returned<void> sample_into(const Out &out, const Sampling &how = {}, const View &ctx = {}, const Out &log_prob = {}) {
    const nf_sampling s = how.raw();
    return detail::done(detail::invoke(nf_sample, get(), &s, ctx.raw(), out.raw(), log_prob.raw()));
  }

  // The same samples one after the other, for loops and, in C++20, ranges; ctx is one row or none. Uses this session until
  // it ends: for (const nf::Row<float> row : session.samples(1000, 7)) ...
  template <class T = float>
  Samples<T> samples(int64_t n, const Sampling &how = {}, const View &ctx = {});

  // Gradients with respect to rows; models that are chains of layers.
  template <class T = float>
  Returned<LogProbGrad<T>> log_prob_grad(const View &x, const View &ctx = {}) {
    const int64_t n = x.rows();
    LogProbGrad<T> g{std::vector<T>(detail::elements(n)), std::vector<T>(detail::elements(n, event_size_)),
                     context<T>(n)};
    const Error e = detail::invoke(nf_log_prob_grad, get(), x.raw(), ctx.raw(), Out(g.log_prob).raw(),
                                   Out(g.dx.data(), n, event_size_).raw(), context_out(g.dctx, n).raw());
    return detail::done(e, std::move(g));
  }
  Returned<void> log_prob_grad_into(const Out &log_prob, const Out &dx, const Out &dctx, const View &x,
                                    const View &ctx = {}) {
    return detail::done(
        detail::invoke(nf_log_prob_grad, get(), x.raw(), ctx.raw(), log_prob.raw(), dx.raw(), dctx.raw()));
  }
  // Pulls cotangents of the results of forward or inverse back to its inputs; a cotangent that is none is zeros.
  template <class T = float>
  Returned<Pullback<T>> vjp(Direction d, const View &from, const View &cot_to, const View &cot_log_det = {},
                            const View &ctx = {}) {
    const int64_t n = from.rows(), in = columns_from(d), out = columns_to(d);
    Pullback<T> p{std::vector<T>(detail::elements(n, out)), std::vector<T>(detail::elements(n)),
                  std::vector<T>(detail::elements(n, in)), context<T>(n)};
    const Error e = detail::invoke(nf_vjp, get(), raw(d), from.raw(), ctx.raw(), cot_to.raw(), cot_log_det.raw(),
                                   Out(p.to.data(), n, out).raw(), Out(p.log_det).raw(),
                                   Out(p.d_from.data(), n, in).raw(), context_out(p.d_ctx, n).raw());
    return detail::done(e, std::move(p));
  }
  struct PullbackOuts {
    Out to, log_det, d_from, d_ctx;
  };
  Returned<void> vjp_into(const PullbackOuts &outs, Direction d, const View &from, const View &cot_to,
                          const View &cot_log_det = {}, const View &ctx = {}) {
    return detail::done(detail::invoke(nf_vjp, get(), raw(d), from.raw(), ctx.raw(), cot_to.raw(), cot_log_det.raw(),
                                       outs.to.raw(), outs.log_det.raw(), outs.d_from.raw(), outs.d_ctx.raw()));
  }
  // Pushes tangents of the inputs forward; a tangent that is none is zeros.
  template <class T = float>
  Returned<Pushforward<T>> jvp(Direction d, const View &from, const View &tan_from, const View &tan_ctx = {},
                               const View &ctx = {}) {
    const int64_t n = from.rows(), out = columns_to(d);
    Pushforward<T> p{std::vector<T>(detail::elements(n, out)), std::vector<T>(detail::elements(n)),
                     std::vector<T>(detail::elements(n, out)), std::vector<T>(detail::elements(n))};
    const Error e = detail::invoke(nf_jvp, get(), raw(d), from.raw(), ctx.raw(), tan_from.raw(), tan_ctx.raw(),
                                   Out(p.to.data(), n, out).raw(), Out(p.log_det).raw(),
                                   Out(p.tan_to.data(), n, out).raw(), Out(p.tan_log_det).raw());
    return detail::done(e, std::move(p));
  }
  struct PushforwardOuts {
    Out to, log_det, tan_to, tan_log_det;
  };
  Returned<void> jvp_into(const PushforwardOuts &outs, Direction d, const View &from, const View &tan_from,
                          const View &tan_ctx = {}, const View &ctx = {}) {
    return detail::done(detail::invoke(nf_jvp, get(), raw(d), from.raw(), ctx.raw(), tan_from.raw(), tan_ctx.raw(),
                                       outs.to.raw(), outs.log_det.raw(), outs.tan_to.raw(), outs.tan_log_det.raw()));
  }

  // The base distribution, over latents z.
  template <class T = float>
  Returned<std::vector<T>> base_log_prob(const View &z, const View &ctx = {}) {
    std::vector<T> out(detail::elements(z.rows()));
    const Error e = detail::invoke(nf_base_log_prob, get(), z.raw(), ctx.raw(), Out(out).raw());
    return detail::done(e, std::move(out));
  }
  Returned<void> base_log_prob_into(const Out &out, const View &z, const View &ctx = {}) {
    return detail::done(detail::invoke(nf_base_log_prob, get(), z.raw(), ctx.raw(), out.raw()));
  }
  template <class T = float>
  Returned<std::vector<T>> base_sample(int64_t n, const Sampling &how = {}, const View &ctx = {}) {
    std::vector<T> z(detail::elements(n, latent_size_));
    const nf_sampling s = how.raw();
    const Error e = detail::invoke(nf_base_sample, get(), &s, ctx.raw(), Out(z.data(), n, latent_size_).raw());
    return detail::done(e, std::move(z));
  }
  Returned<void> base_sample_into(const Out &z, const Sampling &how = {}, const View &ctx = {}) {
    const nf_sampling s = how.raw();
    return detail::done(detail::invoke(nf_base_sample, get(), &s, ctx.raw(), z.raw()));
  }
  // Maps u in (0, 1) [n, latent_size] through the inverse distribution function of each column.
  template <class T = float>
  Returned<std::vector<T>> base_quantile(const View &u, const View &ctx = {}) {
    std::vector<T> z(detail::elements(u.rows(), latent_size_));
    const Error e =
        detail::invoke(nf_base_quantile, get(), u.raw(), ctx.raw(), Out(z.data(), u.rows(), latent_size_).raw());
    return detail::done(e, std::move(z));
  }
  Returned<void> base_quantile_into(const Out &z, const View &u, const View &ctx = {}) {
    return detail::done(detail::invoke(nf_base_quantile, get(), u.raw(), ctx.raw(), z.raw()));
  }

  // Weights n samples of the model by a target. Fills x [n, event_size] and log_weight [n] unless they are none. how has
  // repeat and temperature 1.
  Returned<ImportanceInfo> importance(const Target &target, int64_t n, const Sampling &how = {}, const Out &x = {},
                                      const Out &log_weight = {}, const View &ctx = {});
  // Weights n draws of the posterior of one row x by p(x, z): see nf_posterior_importance. Fills z [n, latent_size] and
  // log_weight [n] unless they are none. how has repeat and temperature 1.
  Returned<ImportanceInfo> posterior_importance(const View &x, int64_t n, const Sampling &how = {}, const Out &z = {},
                                                const Out &log_weight = {}, const View &ctx = {}) {
    ImportanceInfo info = NF_IMPORTANCE_INFO_INIT;
    if (how.repeat != 1 || how.temperature < 1 || how.temperature > 1)
      return detail::done(detail::error(NF_ERR_ARGUMENT,
                                        "nf::Session::posterior_importance: repeat and temperature must "
                                        "be 1"),
                          info);
    const Error e = detail::invoke(nf_posterior_importance, get(), x.raw(), ctx.raw(), how.seed, how.first, n, z.raw(),
                                   log_weight.raw(), &info);
    return detail::done(e, info);
  }
  // Markov chains on a target with this model's samples as proposals: [draws, chains, event_size]. Options of scope
  // "metropolis".
  template <class T = float>
  Returned<std::vector<T>> metropolis(const Runtime &rt, const Target &target, int64_t draws, int64_t chains,
                                      const Options &options = {}, const View &start = {},
                                      MetropolisInfo *info = nullptr, const View &ctx = {});
  template <class T = float>
  Returned<std::vector<T>> metropolis(const Target &target, int64_t draws, int64_t chains, const Options &options = {},
                                      const View &start = {}, MetropolisInfo *info = nullptr, const View &ctx = {});

  size_t bytes() const noexcept { return nf_session_bytes(get()); }
  int64_t event_size() const noexcept { return event_size_; }

 private:
  static nf_direction raw(Direction d) noexcept { return static_cast<nf_direction>(d); }
  int64_t columns_from(Direction d) const noexcept { return d == Direction::forward ? event_size_ : latent_size_; }
  int64_t columns_to(Direction d) const noexcept { return d == Direction::forward ? latent_size_ : event_size_; }
  template <class T>
  std::vector<T> context(int64_t n) const {
    return std::vector<T>(detail::elements(n, context_size_));
  }
  template <class T>
  Out context_out(std::vector<T> &v, int64_t n) const {
    return context_size_ > 0 ? Out(v.data(), n, context_size_) : Out();
  }
  int64_t event_size_, latent_size_, context_size_, layers_;
};

NF_HPP_END
#endif  // NF_HPP_SESSION_HPP_
