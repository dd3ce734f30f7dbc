//! Latents of a variational autoencoder, a model of `"kind": "vae"`.
use nf_sys as sys;

use crate::error::{check, Error, Result};
use crate::infer::{ImportanceInfo, Weighted};
use crate::model::Model;
use crate::session::{Mapped, Sampling, Session};
use crate::view::{maybe, maybe_out, zeros, Float, Out, View};

/// The posterior of each row: `mean` and `log_var` of z_0, and a draw z with its log-density.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoded<T> {
    /// `[n, latent_size]`
    pub mean: Vec<T>,
    /// `[n, latent_size]`
    pub log_var: Vec<T>,
    /// `[n, latent_size]`
    pub z: Vec<T>,
    /// `[n]`
    pub log_q: Vec<T>,
}

/// Where [`Session::encode_into`] writes.
#[derive(Debug, Default)]
pub struct EncodeInto<'o> {
    /// `[n, latent_size]`
    pub mean: Option<Out<'o>>,
    /// `[n, latent_size]`
    pub log_var: Option<Out<'o>>,
    /// `[n, latent_size]`
    pub z: Option<Out<'o>>,
    /// `[n]`
    pub log_q: Option<Out<'o>>,
}

impl Model {
    /// How many layers the posterior of an autoencoder has; `None` for other models.
    pub fn posterior_layers(&self) -> Result<Option<usize>> {
        let text = self.describe()?;
        let Some((_, rest)) = text.split_once("\"posterior_layers\":") else { return Ok(None) };
        let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().map(Some).map_err(|_| Error::argument(format!("posterior_layers is no number in {text}")))
    }
}

impl Session<'_> {
    /// Encodes rows.
    pub fn encode<'v, T: Float>(&mut self, x: impl Into<View<'v>>, context: Option<View<'_>>) -> Result<Encoded<T>> {
        let x = x.into();
        let shape = [x.len(), self.info().latent_size];
        let mut c = Encoded { mean: zeros(&shape)?, log_var: zeros(&shape)?, z: zeros(&shape)?, log_q: zeros(&shape[..1])? };
        let outs = EncodeInto {
            mean: Some(Out::new(&mut c.mean, &shape)?),
            log_var: Some(Out::new(&mut c.log_var, &shape)?),
            z: Some(Out::new(&mut c.z, &shape)?),
            log_q: Some(Out::from(&mut c.log_q)),
        };
        self.encode_into(x, context, outs)?;
        Ok(c)
    }
    /// The same into memory of the caller.
    pub fn encode_into<'v>(
        &mut self, x: impl Into<View<'v>>, context: Option<View<'_>>, outs: EncodeInto<'_>,
    ) -> Result<()> {
        let (x, s) = (x.into(), self.raw());
        // SAFETY: &mut self, and views are borrowed for the call; so in the others.
        check(|e| unsafe {
            sys::nf_encode(
                s,
                x.raw(),
                maybe(&context),
                maybe_out(&outs.mean),
                maybe_out(&outs.log_var),
                maybe_out(&outs.z),
                maybe_out(&outs.log_q),
                e,
            )
        })
    }
    /// The mean of x given latents z.
    pub fn decode<'v, T: Float>(&mut self, z: impl Into<View<'v>>, context: Option<View<'_>>) -> Result<Vec<T>> {
        let z = z.into();
        let shape = [z.len(), self.info().event_size];
        let mut x = zeros(&shape)?;
        self.decode_into(z, context, Out::new(&mut x, &shape)?)?;
        Ok(x)
    }
    /// The same into memory of the caller.
    pub fn decode_into<'v, 'o>(
        &mut self, z: impl Into<View<'v>>, context: Option<View<'_>>, x: impl Into<Out<'o>>,
    ) -> Result<()> {
        let (z, x) = (z.into(), x.into());
        check(|e| unsafe { sys::nf_decode(self.raw(), z.raw(), maybe(&context), x.raw(), e) })
    }
    /// The draw of [`encode`](Self::encode) on its way through the `layers` layers of the posterior
    /// ([`Model::posterior_layers`]): rows `[layers + 1, n, latent_size]` and log_det `[layers, n]`.
    pub fn posterior_trace<'v, T: Float>(
        &mut self, layers: usize, x: impl Into<View<'v>>, context: Option<View<'_>>,
    ) -> Result<Mapped<T>> {
        let x = x.into();
        let (shape, dets) = ([layers.saturating_add(1), x.len(), self.info().latent_size], [layers, x.len()]);
        let mut to = Mapped { rows: zeros(&shape)?, log_det: zeros(&dets)? };
        let (rows, log_det) = (Out::new(&mut to.rows, &shape)?, Out::new(&mut to.log_det, &dets)?);
        let s = self.raw();
        check(|e| unsafe { sys::nf_posterior_trace(s, x.raw(), maybe(&context), rows.raw(), log_det.raw(), e) })?;
        Ok(to)
    }
    /// Weights n draws of the posterior of one row x `[1, event_size]` by p(x, z): `log_z` is an estimate of log p(x).
    pub fn posterior_importance<'v, T: Float>(
        &mut self, x: impl Into<View<'v>>, n: usize, how: impl Into<Sampling>, context: Option<View<'_>>,
    ) -> Result<Weighted<T>> {
        let (x, how, shape) = (x.into(), how.into(), [n, self.info().latent_size]);
        how.need_plain("posterior_importance")?;
        let (mut rows, mut log_weight) = (zeros(&shape)?, zeros(&[n])?);
        let mut info = sys::nf_importance_info::INIT;
        {
            let (z, weight, s) = (Out::new(&mut rows, &shape)?, Out::from(&mut log_weight), self.raw());
            check(|e| unsafe {
                sys::nf_posterior_importance(
                    s,
                    x.raw(),
                    maybe(&context),
                    how.seed,
                    how.first,
                    n as i64,
                    z.raw(),
                    weight.raw(),
                    &mut info,
                    e,
                )
            })?;
        }
        Ok(Weighted { rows, log_weight, info: ImportanceInfo::from_raw(&info) })
    }
}
