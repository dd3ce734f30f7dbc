//! Derivatives with respect to rows and contexts.
use nf_sys as sys;

use crate::error::{check, Result};
use crate::session::{Direction, Session};
use crate::view::{maybe, maybe_out, zeros, Float, Out, View};

/// log_prob `[n]` and its gradients.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogProbGrad<T> {
    /// One number per row.
    pub log_prob: Vec<T>,
    /// `[n, event_size]`
    pub dx: Vec<T>,
    /// `[n, context_size]`, empty without a context.
    pub dcontext: Vec<T>,
}

/// What a map returned, and cotangents of what it was given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pullback<T> {
    /// The rows z or x.
    pub to: Vec<T>,
    /// One number per row.
    pub log_det: Vec<T>,
    /// As the rows that were mapped.
    pub d_from: Vec<T>,
    /// `[n, context_size]`, empty without a context.
    pub d_context: Vec<T>,
}

/// What a map returned, and tangents of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pushforward<T> {
    /// The rows z or x.
    pub to: Vec<T>,
    /// One number per row.
    pub log_det: Vec<T>,
    /// As `to`.
    pub tan_to: Vec<T>,
    /// As `log_det`.
    pub tan_log_det: Vec<T>,
}

/// What a map is given, for the calls that differentiate it.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Which way.
    pub direction: Direction,
    /// The rows x or z.
    pub from: View<'a>,
    /// The context, if the model has one.
    pub context: Option<View<'a>>,
}
impl<'a> At<'a> {
    /// Forward at rows x.
    pub fn forward(x: impl Into<View<'a>>) -> Self {
        Self { direction: Direction::Forward, from: x.into(), context: None }
    }
    /// Inverse at latents z.
    pub fn inverse(z: impl Into<View<'a>>) -> Self {
        Self { direction: Direction::Inverse, from: z.into(), context: None }
    }
    /// With a context.
    pub fn context(self, context: impl Into<View<'a>>) -> Self {
        Self { context: Some(context.into()), ..self }
    }
}

/// Where [`Session::vjp_into`] writes; nothing that is `None` is computed.
#[derive(Debug, Default)]
pub struct PullbackInto<'o> {
    /// The rows z or x.
    pub to: Option<Out<'o>>,
    /// One number per row.
    pub log_det: Option<Out<'o>>,
    /// As the rows that are mapped.
    pub d_from: Option<Out<'o>>,
    /// `[n, context_size]`
    pub d_context: Option<Out<'o>>,
}

/// Where [`Session::jvp_into`] writes.
#[derive(Debug, Default)]
pub struct PushforwardInto<'o> {
    /// The rows z or x.
    pub to: Option<Out<'o>>,
    /// One number per row.
    pub log_det: Option<Out<'o>>,
    /// As `to`.
    pub tan_to: Option<Out<'o>>,
    /// As `log_det`.
    pub tan_log_det: Option<Out<'o>>,
}

/// Rows of results, or none where there are no columns.
fn some<T: Float>(v: &mut [T], shape: [usize; 2]) -> Result<Option<Out<'_>>> {
    if shape[1] == 0 {
        Ok(None)
    } else {
        Out::new(v, &shape).map(Some)
    }
}

impl Session<'_> {
    /// log_prob of every row, and its gradients by the row and its context.
    pub fn log_prob_grad<'v, T: Float>(
        &mut self, x: impl Into<View<'v>>, context: Option<View<'_>>,
    ) -> Result<LogProbGrad<T>> {
        let x = x.into();
        let (n, event, columns) = (x.len(), self.info().event_size, self.info().context_size);
        let mut g = LogProbGrad { log_prob: zeros(&[n])?, dx: zeros(&[n, event])?, dcontext: zeros(&[n, columns])? };
        let (dx, dcontext) = (Out::new(&mut g.dx, &[n, event])?, some(&mut g.dcontext, [n, columns])?);
        self.log_prob_grad_into(x, context, Some(Out::from(&mut g.log_prob)), Some(dx), dcontext)?;
        Ok(g)
    }
    /// The same into memory of the caller.
    pub fn log_prob_grad_into<'v>(
        &mut self, x: impl Into<View<'v>>, context: Option<View<'_>>, log_prob: Option<Out<'_>>, dx: Option<Out<'_>>,
        dcontext: Option<Out<'_>>,
    ) -> Result<()> {
        let (x, s) = (x.into(), self.raw());
        // SAFETY: &mut self, and views are borrowed for the call; so in the others.
        check(|e| unsafe {
            sys::nf_log_prob_grad(s, x.raw(), maybe(&context), maybe_out(&log_prob), maybe_out(&dx), maybe_out(&dcontext), e)
        })
    }

    /// Pulls cotangents of a map's rows and log_det back: `d_from = J' cot_to + cot_log_det grad log_det`. A cotangent that is
    /// `None` is zero.
    pub fn vjp<T: Float>(
        &mut self, at: At<'_>, cot_to: Option<View<'_>>, cot_log_det: Option<View<'_>>,
    ) -> Result<Pullback<T>> {
        let (n, (from, to), columns) = (at.from.len(), self.columns(at.direction), self.info().context_size);
        let mut p = Pullback {
            to: zeros(&[n, to])?,
            log_det: zeros(&[n])?,
            d_from: zeros(&[n, from])?,
            d_context: zeros(&[n, columns])?,
        };
        let outs = PullbackInto {
            to: Some(Out::new(&mut p.to, &[n, to])?),
            log_det: Some(Out::from(&mut p.log_det)),
            d_from: Some(Out::new(&mut p.d_from, &[n, from])?),
            d_context: some(&mut p.d_context, [n, columns])?,
        };
        self.vjp_into(at, cot_to, cot_log_det, outs)?;
        Ok(p)
    }
    /// The same into memory of the caller.
    pub fn vjp_into(
        &mut self, at: At<'_>, cot_to: Option<View<'_>>, cot_log_det: Option<View<'_>>, outs: PullbackInto<'_>,
    ) -> Result<()> {
        let s = self.raw();
        check(|e| unsafe {
            sys::nf_vjp(
                s,
                at.direction.raw(),
                at.from.raw(),
                maybe(&at.context),
                maybe(&cot_to),
                maybe(&cot_log_det),
                maybe_out(&outs.to),
                maybe_out(&outs.log_det),
                maybe_out(&outs.d_from),
                maybe_out(&outs.d_context),
                e,
            )
        })
    }

    /// Pushes tangents of rows and contexts forward; a tangent that is `None` is zero.
    pub fn jvp<T: Float>(
        &mut self, at: At<'_>, tan_from: Option<View<'_>>, tan_context: Option<View<'_>>,
    ) -> Result<Pushforward<T>> {
        let (n, to) = (at.from.len(), self.columns(at.direction).1);
        let mut p =
            Pushforward { to: zeros(&[n, to])?, log_det: zeros(&[n])?, tan_to: zeros(&[n, to])?, tan_log_det: zeros(&[n])? };
        let outs = PushforwardInto {
            to: Some(Out::new(&mut p.to, &[n, to])?),
            log_det: Some(Out::from(&mut p.log_det)),
            tan_to: Some(Out::new(&mut p.tan_to, &[n, to])?),
            tan_log_det: Some(Out::from(&mut p.tan_log_det)),
        };
        self.jvp_into(at, tan_from, tan_context, outs)?;
        Ok(p)
    }
    /// The same into memory of the caller.
    pub fn jvp_into(
        &mut self, at: At<'_>, tan_from: Option<View<'_>>, tan_context: Option<View<'_>>, outs: PushforwardInto<'_>,
    ) -> Result<()> {
        let s = self.raw();
        check(|e| unsafe {
            sys::nf_jvp(
                s,
                at.direction.raw(),
                at.from.raw(),
                maybe(&at.context),
                maybe(&tan_from),
                maybe(&tan_context),
                maybe_out(&outs.to),
                maybe_out(&outs.log_det),
                maybe_out(&outs.tan_to),
                maybe_out(&outs.tan_log_det),
                e,
            )
        })
    }
}
