/* nf_infer.h - densities known up to a factor: to fit a flow to, to weight samples by, and to run Markov chains on.
 * The rules R1 to R10 are those of nf.h. */
#ifndef NF_INFER_H_
#define NF_INFER_H_
#include <nf/nf.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- targets --------------------------------------------------------------------------------------------------- */
/* [any; stable 0.1] Lists the built-in targets as JSON [{"name", "doc", "formula", "source", "min_columns", "max_columns",
 * "fields"}], with fields as in nf_parts_describe. The string is static. NULL only when out of memory. */
NF_API const char *nf_targets_describe(void) NF_NOEXCEPT;
/* [any; stable 0.1] Creates a built-in target from its name or from UTF-8 JSON {"type": NAME, fields...} of spec_len bytes
 * (or NF_TEXT): "u1" or {"type": "u1", "radius": 4, "spread": 0.8}. event_size is its number of columns. Errors: SPEC, SHAPE
 * (the target cannot have that many columns). */
NF_API NF_MUST_CHECK nf_status nf_target_create(nf_runtime *rt, const char *spec, size_t spec_len, int64_t event_size,
                                                nf_target **out, nf_error *err) NF_NOEXCEPT;
/* A target implemented by the host. Given x [n, event_size], fills log_density [n], up to an additive constant, and its
 * gradient [n, event_size] unless that is NULL. ctx holds the context rows of x ([n or 1, columns]), or is NULL. All are
 * row-major without gaps, in the model's dtype (nf_metropolis: float64), borrowed for the call. Runs only on the thread that
 * entered libnf, with no lock held (R7), once for all rows of a step. Returns 0 on success, < 0 if it failed
 * (NF_ERR_CALLBACK), > 0 to stop (NF_ERR_CANCELLED). log_density is -infinity where the density is 0; a sample there has
 * weight 0 and makes the loss of "reverse_kl" infinite. NaN and +infinity are NF_ERR_NUMERIC. */
typedef int32_t (*nf_target_fn)(void *user, const nf_view *x, const nf_view *ctx, const nf_out *log_density,
                                const nf_out *gradient);
/* [any; stable 0.1] `user` must outlive the target and every handle that was given the target. */
NF_API NF_MUST_CHECK nf_status nf_target_create_callback(nf_runtime *rt, int64_t event_size, nf_target_fn fn,
                                                         void *user, nf_target **out, nf_error *err) NF_NOEXCEPT;
/* [any; experimental 0.2] As nf_target_create_callback, but the callback gets float64 whatever the dtype of the model, and its
 * log densities stay float64. A float32 log density has 24 bits: near -1e8 it is a multiple of 8. */
NF_API NF_MUST_CHECK nf_status nf_target_create_callback_f64(nf_runtime *rt, int64_t event_size, nf_target_fn fn,
                                                             void *user, nf_target **out, nf_error *err) NF_NOEXCEPT;
typedef struct nf_target_info {
  uint32_t struct_size;
  int32_t builtin;    /* 1: built in, 0: a callback                                          */
  int64_t event_size; /* columns of x                                                        */
  double log_z;       /* log of the integral: NaN if unknown, infinity if it diverges        */
} nf_target_info;
#define NF_TARGET_INFO_INIT \
  { NF_SIZEOF(nf_target_info), 0, 0, 0 }
/* [shared; stable 0.1] */
NF_API nf_status nf_target_get_info(const nf_target *t, nf_target_info *info, nf_error *err) NF_NOEXCEPT;
/* [shared; stable 0.1] Evaluates log_density [n] and gradient [n, event_size] (may be NULL) at x [n, event_size]. ctx is NULL
 * or has n or 1 rows and is passed through to the callback, which gets the dtype of x. Built-in targets compute in float64. */
NF_API nf_status nf_target_log_density(const nf_target *t, const nf_view *x, const nf_view *ctx,
                                       const nf_out *log_density, const nf_out *gradient, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API void nf_target_free(nf_target *t) NF_NOEXCEPT;

/* ---- the mean of a score ---------------------------------------------------------------------------------------- */
typedef struct nf_score_info {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t rows;          /* that count: of weight above 0                                       */
  int64_t outside;       /* of these, rows of density 0, whose log_prob is -infinity            */
  int64_t first_outside; /* the first of them; -1 if there is none                              */
  double mean, error;    /* weighted mean in nats and its standard error; -infinity and 0 with a row outside */
  double inside_mean, inside_error; /* of the rows that have a density; NaN if none has                    */
} nf_score_info;
#define NF_SCORE_INFO_INIT \
  { NF_SIZEOF(nf_score_info), 0, 0, 0, 0, 0, 0, 0, 0 }
/* [any; experimental 0.2] Mean of log_prob [n], as nf_log_prob or nf_score fill it in, with weights [n] >= 0 or NULL. Rows of
 * density 0 are counted instead of left out in silence. Errors: ARGUMENT (n = 0, a weight that is negative or not finite, no
 * weight above 0), NUMERIC (a log_prob of weight above 0 is NaN or +infinity; nf_error.row). */
NF_API nf_status nf_score_mean(const nf_view *log_prob, const nf_view *weight, nf_score_info *info,
                               nf_error *err) NF_NOEXCEPT;

/* ---- the base distribution of a session's model, over latents z ------------------------------------------------ */
/* Of a variational autoencoder it is the prior. */
/* [excl; experimental 0.2] log-density [n] of the base at z. */
NF_API nf_status nf_base_log_prob(nf_session *s, const nf_view *z, const nf_view *ctx, const nf_out *log_prob,
                                  nf_error *err) NF_NOEXCEPT;
/* [excl; experimental 0.2] The latents of the samples that nf_sample draws: nf_inverse maps them to those rows, and nf_decode
 * gives the means of those rows. */
NF_API nf_status nf_base_sample(nf_session *s, const nf_sampling *how, const nf_view *ctx, const nf_out *z,
                                nf_error *err) NF_NOEXCEPT;
/* [excl; experimental 0.2] Maps u in (0, 1) [n, latent_size] column by column through the inverse distribution function of
 * the base: with low-discrepancy u, samples for quasi-Monte Carlo. u is read as float64 also by a float32 model, so it may be
 * very close to 1. Errors: UNSUPPORTED (the base's columns depend on each other), ARGUMENT (u outside (0, 1), nf_error.row;
 * nothing is written then). */
NF_API nf_status nf_base_quantile(nf_session *s, const nf_view *u, const nf_view *ctx, const nf_out *z,
                                  nf_error *err) NF_NOEXCEPT;

/* ---- latents of a variational autoencoder (a model of "kind": "vae") --------------------------------------------- */
/* [excl; experimental 0.2] Encodes rows x: the mean and the log variance, [n, latent_size], of z_0 given x, and a draw z of
 * the posterior with log_q [n], its log-density. Outs may be NULL. The draw is the first of those of nf_log_prob, a function
 * of "session.score_seed" and of the row. Errors: UNSUPPORTED (the model is of another kind), and those of nf_log_prob. */
NF_API nf_status nf_encode(nf_session *s, const nf_view *x, const nf_view *ctx, const nf_out *mean,
                           const nf_out *log_var, const nf_out *z, const nf_out *log_q, nf_error *err) NF_NOEXCEPT;
/* [excl; experimental 0.2] The draw of nf_encode on its way through the posterior's layers: out [K + 1, n, latent_size] with
 * out[0] = z_0 and out[K] = z, and log_det [K, n], which may be NULL. K is "posterior_layers" of nf_model_describe. */
NF_API nf_status nf_posterior_trace(nf_session *s, const nf_view *x, const nf_view *ctx, const nf_out *out,
                                    const nf_out *log_det, nf_error *err) NF_NOEXCEPT;
/* [excl; experimental 0.2] Decodes latents z [n, latent_size]: the mean of x given z. nf_sample draws z from the prior and x
 * given z. Errors: UNSUPPORTED (the model is of another kind). */
NF_API nf_status nf_decode(nf_session *s, const nf_view *z, const nf_view *ctx, const nf_out *x,
                           nf_error *err) NF_NOEXCEPT;

/* ---- importance sampling --------------------------------------------------------------------------------------- */
/* The weights of samples of the model, w = p/q, say nothing about places where the model has no samples. If it is too narrow
 * or misses a mode, ess is high, log_z too small, and log_z_error too small as well. Two numbers warn of that:
 *   pareto_k  how heavy the tail of the weights is (Vehtari et al. 2024). Above 0.5 their variance is infinite, above 1 their
 *             mean. Above pareto_k_limit = min(1 - 1/log10(samples), 0.7), log_z, ess and nf_importance_mean have errors of
 *             unknown size, and smoothing does not help: improve the model. It sees a tail that is sampled now and then, not
 *             a mode that is never sampled.
 *   nf_importance_coverage  sees both, if there are rows of the target, such as from Markov chains. */
typedef struct nf_importance_info {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t samples;
  double log_z, log_z_error;           /* log mean(w) and its standard error, w = p/q                             */
  double ess, ess_fraction;            /* effective sample size (sum w)^2 / sum w^2, and its share of samples     */
  double reverse_kl, reverse_kl_error; /* mean(log q - log p) and its standard error; add log_z for the divergence */
  double largest_share;                /* largest w / sum w: near 1, none of these numbers can be trusted         */
  double pareto_k, pareto_k_limit;     /* see above. pareto_k is 0 if all weights of the tail are equal, infinity if
                                          fewer than 5 stand out of it, NaN for fewer than 25 samples              */
  double smoothed_log_z, smoothed_log_z_error, smoothed_ess; /* with the weights of nf_importance_smooth          */
} nf_importance_info;
#define NF_IMPORTANCE_INFO_INIT \
  { NF_SIZEOF(nf_importance_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* [excl; experimental 0.1] Importance sampling with the session's model as the proposal, on samples first_index ..
 * first_index + n - 1 of `seed`, the same as nf_sample's. x [n, event_size] and log_weight [n] = log p - log q are written
 * unless NULL. The summary is computed block by block and keeps only the largest 3 sqrt(n) weights, so n may be arbitrarily
 * large. log p is float64 whatever the model's dtype. ctx has 1 row or is NULL. The bits do not depend on the number of
 * threads. Errors: those of the target, NUMERIC (no weight above 0, a row that is not finite, or a callback whose float32 log
 * density has steps of 0.25 or more: see nf_target_create_callback_f64). */
NF_API nf_status nf_importance(nf_session *s, const nf_target *target, uint64_t seed, uint64_t first_index, int64_t n,
                               const nf_view *ctx, const nf_out *x, const nf_out *log_weight, nf_importance_info *info,
                               nf_error *err) NF_NOEXCEPT;
/* [excl; experimental 0.2] The same for the latents of one row x [1, event_size] given a variational autoencoder: the proposal
 * is its posterior q(z | x), the target p(x, z), and log_z of info an estimate of log p(x) with an error. Draws first_index ..
 * first_index + n - 1 of `seed` go to z [n, latent_size] and log_weight [n] = log p(x, z) - log q(z | x) unless NULL: with
 * nf_importance_mean, expectations under the true posterior p(z | x). ctx has 1 row or is NULL. Errors: UNSUPPORTED (the
 * model is of another kind), NUMERIC (no weight above 0, or one that is not a number). */
NF_API nf_status nf_posterior_importance(nf_session *s, const nf_view *x, const nf_view *ctx, uint64_t seed,
                                         uint64_t first_index, int64_t n, const nf_out *z, const nf_out *log_weight,
                                         nf_importance_info *info, nf_error *err) NF_NOEXCEPT;
/* [any; experimental 0.1] Self-normalized estimates of expectations under the target: mean_j = sum_i w_i g_ij / sum_i w_i for
 * values g [n, k] at the samples, with w = exp(log_weight [n]), and their standard errors (delta method). mean and error are
 * [k]; error may be NULL. Errors: ARGUMENT (n = 0), NUMERIC (a weight or value is not finite, no weight is above 0). */
NF_API nf_status nf_importance_mean(const nf_view *log_weight, const nf_view *values, const nf_out *mean,
                                    const nf_out *error, nf_error *err) NF_NOEXCEPT;
/* [any; experimental 0.2] Pareto smoothed importance sampling: replaces the largest 3 sqrt(n) weights, at most a fifth, by
 * quantiles of the distribution that was fitted to them, which lowers the variance of estimates at the price of a small bias.
 * Writes smoothed [n] from log_weight [n], which may be the same memory, and *pareto_k; each may be NULL. Nothing is smoothed
 * where pareto_k is 0 or not finite. Errors: ARGUMENT (n = 0), NUMERIC (a weight is NaN or infinite, no weight is above 0). */
NF_API nf_status nf_importance_smooth(const nf_view *log_weight, const nf_out *smoothed, double *pareto_k,
                                      nf_error *err) NF_NOEXCEPT;
typedef struct nf_coverage_info {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t samples, target_samples;
  double log_z, log_z_error; /* from both sets of rows (bridge sampling, Meng & Wong 1996), and its standard error   */
  double deviation; /* log_z minus that of the samples alone, in standard errors of the difference: above 4, the
                                samples miss a part of the target, and their log Z is too small                      */
  double forward_kl,
      forward_kl_error;      /* mean(log p - log q) over rows of the target minus log_z: how badly the model fits
                                          where the target is                                                         */
  double outside, outside_p; /* share of the rows of the target whose weight is above that of every sample, and the
                                probability of so many if the weights' tail goes on as the samples show it: below 1e-4,
                                there is more target out there                                                       */
} nf_coverage_info;
#define NF_COVERAGE_INFO_INIT \
  { NF_SIZEOF(nf_coverage_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* [any; experimental 0.2] Compares log_weight [n] of nf_importance with target_log_weight [m], log p - log q at rows of the
 * target: nf_target_log_density minus nf_log_prob, in float64. Rows of Markov chains must be thinned until they are nearly
 * independent, otherwise the errors are too small; 1000 rows see a missed part of 1 %. Infinity in target_log_weight is a row
 * where q is 0. Errors: ARGUMENT (n = 0 or m = 0), NUMERIC (NaN, infinity in log_weight, -infinity in target_log_weight, no
 * weight above 0; nf_error.row). */
NF_API nf_status nf_importance_coverage(const nf_view *log_weight, const nf_view *target_log_weight,
                                        nf_coverage_info *info, nf_error *err) NF_NOEXCEPT;

/* ---- Markov chains --------------------------------------------------------------------------------------------- */
typedef struct nf_metropolis_info {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t steps;    /* steps of each chain, including burn-in and thinning */
  double acceptance; /* fraction of proposals accepted after burn-in        */
} nf_metropolis_info;
#define NF_METROPOLIS_INFO_INIT \
  { NF_SIZEOF(nf_metropolis_info), 0, 0, 0 }
/* [excl on proposal; experimental 0.1] Runs Markov chains whose stationary density is the target and fills out [draws,
 * chains, event_size]; out[:, c] is chain c. If proposal is NULL, the chains are random walks whose steps are option
 * "metropolis.step_size" times standard normal numbers, started at `start` [chains, event_size], or at standard normal rows
 * if start is NULL. Otherwise proposals are samples of that session's model (independence sampler), which also start the
 * chains if start is NULL; ctx [1, context_size] or NULL is its context. Options "metropolis.step_size", ".burn_in", ".thin",
 * ".seed". Chains are computed in float64 whatever the views' dtype; the bits do not depend on the number of threads.
 * Errors: NUMERIC (a chain starts where the density is 0, or the density is NaN or +infinity somewhere), and those of the
 * target. */
NF_API nf_status nf_metropolis(nf_runtime *rt, const nf_target *target, nf_session *proposal, const nf_options *options,
                               const nf_view *start, const nf_view *ctx, const nf_out *out, nf_metropolis_info *info,
                               nf_error *err) NF_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif /* NF_INFER_H_ */
