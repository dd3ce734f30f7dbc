//! Importance sampling, and means of scores.
use nf_sys as sys;

use crate::error::{check, Result};
use crate::session::{Sampling, Session};
use crate::target::Target;
use crate::view::{maybe, maybe_out, zeros, Float, Out, View};

/// A struct of this crate from one of `nf.h` with fields of the same names.
macro_rules! summary {
    ($(#[$about:meta])* $name:ident: $raw:ident { $($(#[$doc:meta])* $field:ident: $t:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$doc])* pub $field: $t,)*
        }
        impl $name {
            pub(crate) fn from_raw(i: &sys::$raw) -> Self {
                Self { $($field: i.$field as $t,)* }
            }
        }
    };
}

summary! {
    /// What importance sampling found: `nf_infer.h` says how to read `pareto_k`.
    ImportanceInfo: nf_importance_info {
        /// How many.
        samples: u64,
        /// log mean(w), w = p/q.
        log_z: f64,
        /// Its standard error.
        log_z_error: f64,
        /// Effective sample size.
        ess: f64,
        /// Its share of samples.
        ess_fraction: f64,
        /// mean(log q - log p); add log_z for the divergence.
        reverse_kl: f64,
        /// Its standard error.
        reverse_kl_error: f64,
        /// Largest w / sum w: near 1, none of these numbers can be trusted.
        largest_share: f64,
        /// How heavy the tail of the weights is.
        pareto_k: f64,
        /// Above it, the numbers have errors of unknown size.
        pareto_k_limit: f64,
        /// log_z of smoothed weights.
        smoothed_log_z: f64,
        /// Its standard error.
        smoothed_log_z_error: f64,
        /// Effective sample size of smoothed weights.
        smoothed_ess: f64,
    }
}
summary! {
    /// Whether samples cover a target.
    CoverageInfo: nf_coverage_info {
        /// Samples of the model.
        samples: u64,
        /// Rows of the target.
        target_samples: u64,
        /// From both sets of rows.
        log_z: f64,
        /// Its standard error.
        log_z_error: f64,
        /// log_z minus that of the samples alone, in standard errors of the difference.
        deviation: f64,
        /// How badly the model fits where the target is.
        forward_kl: f64,
        /// Its standard error.
        forward_kl_error: f64,
        /// Share of the rows of the target whose weight is above that of every sample.
        outside: f64,
        /// The probability of so many.
        outside_p: f64,
    }
}
summary! {
    /// The mean of a score.
    ScoreInfo: nf_score_info {
        /// Rows that count: of weight above 0.
        rows: u64,
        /// Of these, rows of density 0.
        outside: u64,
        /// The first of them, or -1.
        first_outside: i64,
        /// Weighted mean in nats; -infinity with a row outside.
        mean: f64,
        /// Its standard error.
        error: f64,
        /// The mean of the rows that have a density.
        inside_mean: f64,
        /// Its standard error.
        inside_error: f64,
    }
}

/// Samples with their log weights, and a summary.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Weighted<T> {
    /// The samples, one after another.
    pub rows: Vec<T>,
    /// log p - log q of each.
    pub log_weight: Vec<T>,
    /// The summary.
    pub info: ImportanceInfo,
}

impl Session<'_> {
    /// Importance sampling of a target with n samples of this session's model as proposals.
    pub fn importance<T: Float>(
        &mut self, target: &Target, n: usize, how: impl Into<Sampling>, context: Option<View<'_>>,
    ) -> Result<Weighted<T>> {
        let shape = [n, self.info().event_size];
        let (mut rows, mut log_weight) = (zeros(&shape)?, zeros(&[n])?);
        let outs = (Some(Out::new(&mut rows, &shape)?), Some(Out::from(&mut log_weight)));
        let info = self.importance_into(target, n, how, context, outs.0, outs.1)?;
        Ok(Weighted { rows, log_weight, info })
    }
    /// The same into memory of the caller, or none: then n may be arbitrarily large.
    pub fn importance_into(
        &mut self, target: &Target, n: usize, how: impl Into<Sampling>, context: Option<View<'_>>, x: Option<Out<'_>>,
        log_weight: Option<Out<'_>>,
    ) -> Result<ImportanceInfo> {
        let how = how.into();
        how.need_plain("importance")?;
        let mut info = sys::nf_importance_info::INIT;
        let s = self.raw();
        // SAFETY: &mut self; views are borrowed for the call; here and below out-parameters are valid.
        check(|e| unsafe {
            sys::nf_importance(
                s,
                target.raw(),
                how.seed,
                how.first,
                n as i64,
                maybe(&context),
                maybe_out(&x),
                maybe_out(&log_weight),
                &mut info,
                e,
            )
        })?;
        Ok(ImportanceInfo::from_raw(&info))
    }
}

/// Estimates of expectations and their standard errors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimate {
    /// One per column of the values.
    pub mean: Vec<f64>,
    /// Of each.
    pub error: Vec<f64>,
}
/// Self-normalized estimates of expectations under the target from values `[n, k]` at samples.
pub fn importance_mean<'w, 'v>(log_weight: impl Into<View<'w>>, values: impl Into<View<'v>>) -> Result<Estimate> {
    let (w, v) = (log_weight.into(), values.into());
    let k = v.shape().get(1).map_or(0, |&k| k as usize);
    let mut to = Estimate { mean: zeros(&[k])?, error: zeros(&[k])? };
    let (mean, error) = (Out::from(&mut to.mean), Out::from(&mut to.error));
    check(|e| unsafe { sys::nf_importance_mean(w.raw(), v.raw(), mean.raw(), error.raw(), e) })?;
    Ok(to)
}
/// Log weights with the largest ones smoothed, and the Pareto k of the fit to them.
pub fn importance_smooth<'w>(log_weight: impl Into<View<'w>>) -> Result<(Vec<f64>, f64)> {
    let w = log_weight.into();
    let (mut smoothed, mut k) = (zeros(&[w.len()])?, 0.0);
    let out = Out::from(&mut smoothed);
    check(|e| unsafe { sys::nf_importance_smooth(w.raw(), out.raw(), &mut k, e) })?;
    Ok((smoothed, k))
}
/// Compares log weights of samples with those of rows of the target.
pub fn importance_coverage<'w, 't>(
    log_weight: impl Into<View<'w>>, target_log_weight: impl Into<View<'t>>,
) -> Result<CoverageInfo> {
    let (w, t) = (log_weight.into(), target_log_weight.into());
    let mut info = sys::nf_coverage_info::INIT;
    check(|e| unsafe { sys::nf_importance_coverage(w.raw(), t.raw(), &mut info, e) })?;
    Ok(CoverageInfo::from_raw(&info))
}
/// The mean of log_prob `[n]` with weights `[n]` or none.
pub fn score_mean<'v>(log_prob: impl Into<View<'v>>, weight: Option<View<'_>>) -> Result<ScoreInfo> {
    let x = log_prob.into();
    let mut info = sys::nf_score_info::INIT;
    check(|e| unsafe { sys::nf_score_mean(x.raw(), maybe(&weight), &mut info, e) })?;
    Ok(ScoreInfo::from_raw(&info))
}
