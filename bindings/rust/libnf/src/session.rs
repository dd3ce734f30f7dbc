//! Sessions: score, map and sample.
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use nf_sys as sys;

use crate::error::{check, create, Error, Result};
use crate::model::{Model, ModelInfo};
use crate::options::{self, Options};
use crate::view::{maybe, maybe_out, zeros, Float, Out, View};

/// Which way a model maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Data x to latent z.
    Forward,
    /// z to x.
    Inverse,
}
impl Direction {
    pub(crate) fn raw(self) -> sys::nf_direction {
        match self {
            Direction::Forward => sys::NF_FORWARD as sys::nf_direction,
            Direction::Inverse => sys::NF_INVERSE as sys::nf_direction,
        }
    }
}

/// What a map returned: rows, and one log_det each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapped<T> {
    /// The rows z or x.
    pub rows: Vec<T>,
    /// log |det| of the Jacobian, in nats.
    pub log_det: Vec<T>,
}

/// Which samples: `first ..` of stream `seed`. A sample's bits depend on nothing else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// The stream.
    pub seed: u64,
    /// The number of the first sample.
    pub first: u64,
    /// How many samples each row of the context has, one after another.
    pub repeat: usize,
    /// Factor of the base's deviation from its mean.
    pub temperature: f64,
}
impl Sampling {
    /// The first samples of a stream.
    pub fn seed(seed: u64) -> Self {
        Self { seed, first: 0, repeat: 1, temperature: 1.0 }
    }
    /// Starts at sample `first`.
    pub fn first(self, first: u64) -> Self {
        Self { first, ..self }
    }
    /// That many samples of each row of the context.
    pub fn repeat(self, repeat: usize) -> Self {
        Self { repeat, ..self }
    }
    /// Factor of the base's deviation from its mean.
    pub fn temperature(self, temperature: f64) -> Self {
        Self { temperature, ..self }
    }
    /// For calls that have neither repeats nor a temperature.
    pub(crate) fn need_plain(&self, what: &str) -> Result<()> {
        if self.repeat == 1 && self.temperature == 1.0 {
            return Ok(());
        }
        Err(Error::argument(format!(
            "{what}: repeat is {} and temperature {}: both must be 1",
            self.repeat, self.temperature
        )))
    }
    fn raw(&self) -> sys::nf_sampling {
        let mut s = sys::nf_sampling::INIT;
        (s.seed, s.first_index, s.temperature) = (self.seed, self.first, self.temperature);
        s.repeat = self.repeat as i64;
        s
    }
}
impl From<u64> for Sampling {
    fn from(seed: u64) -> Self {
        Self::seed(seed)
    }
}

/// Scratch memory for one thread at a time; any number of sessions share a model. Rows are `[n, event_size]`, or
/// `[n, height, width, channels]` of images; a context is `[n or 1, context_size]`, and `None` exactly when the model has
/// none. What ends in `_into` writes to memory of the caller and allocates nothing.
///
/// ```compile_fail,E0499
/// # use libnf::Model;
/// let model = Model::new(r#"{"event": 2, "layers": [{"type": "reverse"}]}"#, 1)?;
/// let mut session = model.session(None)?;
/// std::thread::scope(|s| {
///     s.spawn(|| session.log_prob::<f32>(&[[0.0f32, 1.0]], None));
///     s.spawn(|| session.log_prob::<f32>(&[[0.0f32, 1.0]], None)); // a session belongs to one thread at a time
/// });
/// # Ok::<(), libnf::Error>(())
/// ```
#[derive(Debug)]
pub struct Session<'m> {
    raw: NonNull<sys::nf_session>,
    info: ModelInfo,
    _owner: Option<Arc<Model>>,
    model: PhantomData<&'m Model>,
}
// SAFETY: no call depends on the thread.
unsafe impl Send for Session<'_> {}
// SAFETY: what takes &self is [shared].
unsafe impl Sync for Session<'_> {}
impl Drop for Session<'_> {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { sys::nf_session_free(self.raw.as_ptr()) }
    }
}

impl Session<'static> {
    /// A session that shares the ownership of its model, for structs that hold both. Nobody changes a model in an `Arc`.
    pub fn of(model: Arc<Model>, options: Option<&Options>) -> Result<Self> {
        Self::make(&model.clone(), Some(model), options)
    }
}
impl<'m> Session<'m> {
    /// Options of scope "session": with "session.threads" = 1 it never waits for another thread.
    pub fn new(model: &'m Model, options: Option<&Options>) -> Result<Self> {
        Self::make(model, None, options)
    }
    fn make(model: &Model, _owner: Option<Arc<Model>>, options: Option<&Options>) -> Result<Self> {
        // SAFETY: here and below, handles are ours, &mut self serializes the calls, and views are borrowed for the call.
        let raw = create(sys::nf_session_free, |out, e| unsafe {
            sys::nf_session_create(model.raw(), options::raw(options), out, e)
        })?;
        // Before anything else can fail, so that it is freed.
        let mut s = Self { raw, info: ModelInfo::default(), _owner, model: PhantomData };
        s.info = model.info()?;
        Ok(s)
    }
    #[inline]
    pub(crate) fn raw(&mut self) -> *mut sys::nf_session {
        self.raw.as_ptr()
    }
    /// The handle, for calls of [`nf_sys`] on one thread at a time while the session lives. It must not be freed.
    pub fn as_ptr(&mut self) -> *mut sys::nf_session {
        self.raw()
    }
    /// Sizes of the model.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }
    /// Scratch memory, in bytes.
    pub fn bytes(&self) -> usize {
        // SAFETY: [shared].
        unsafe { sys::nf_session_bytes(self.raw.as_ptr()) }
    }
    /// Columns of what a direction maps from, and to.
    pub(crate) fn columns(&self, d: Direction) -> (usize, usize) {
        match d {
            Direction::Forward => (self.info.event_size, self.info.latent_size),
            Direction::Inverse => (self.info.latent_size, self.info.event_size),
        }
    }

    /// log_prob of every row, in nats. See [`ModelInfo::log_prob`] for whether it is a bound.
    pub fn log_prob<'v, T: Float>(&mut self, x: impl Into<View<'v>>, context: Option<View<'_>>) -> Result<Vec<T>> {
        let x = x.into();
        let mut out = zeros(&[x.len()])?;
        self.log_prob_into(x, context, &mut out)?;
        Ok(out)
    }
    /// The same into memory of the caller.
    #[inline]
    pub fn log_prob_into<'v, 'o>(
        &mut self, x: impl Into<View<'v>>, context: Option<View<'_>>, out: impl Into<Out<'o>>,
    ) -> Result<()> {
        let (x, out) = (x.into(), out.into());
        check(|e| unsafe { sys::nf_log_prob(self.raw(), x.raw(), maybe(&context), out.raw(), e) })
    }
    /// log_prob of one row, with the least overhead.
    #[inline]
    pub fn log_prob_row(&mut self, x: &[f64], context: Option<&[f64]>) -> Result<f64> {
        if x.len() != self.info.event_size || context.map_or(0, <[f64]>::len) != self.info.context_size {
            return Err(self.wrong_row(x.len(), context.map_or(0, <[f64]>::len)));
        }
        let (mut out, context) = (0.0, context.filter(|c| !c.is_empty()).map_or(std::ptr::null(), <[f64]>::as_ptr));
        check(|e| unsafe { sys::nf_log_prob_row(self.raw(), x.as_ptr(), context, &mut out, e) })?;
        Ok(out)
    }
    #[cold]
    fn wrong_row(&self, x: usize, context: usize) -> Error {
        Error::shape(format!(
            "a row of {x} numbers with a context of {context}: expected {} and {}",
            self.info.event_size, self.info.context_size
        ))
    }

    /// Maps x to z.
    pub fn forward<'v, T: Float>(&mut self, x: impl Into<View<'v>>, context: Option<View<'_>>) -> Result<Mapped<T>> {
        self.map(Direction::Forward, x, context)
    }
    /// Maps z to x.
    pub fn inverse<'v, T: Float>(&mut self, z: impl Into<View<'v>>, context: Option<View<'_>>) -> Result<Mapped<T>> {
        self.map(Direction::Inverse, z, context)
    }
    /// Maps in either direction.
    pub fn map<'v, T: Float>(
        &mut self, direction: Direction, from: impl Into<View<'v>>, context: Option<View<'_>>,
    ) -> Result<Mapped<T>> {
        let from = from.into();
        let shape = [from.len(), self.columns(direction).1];
        let mut to = Mapped { rows: zeros(&shape)?, log_det: zeros(&shape[..1])? };
        self.map_into(direction, from, context, Out::new(&mut to.rows, &shape)?, Some(Out::from(&mut to.log_det)))?;
        Ok(to)
    }
    /// The same into memory of the caller.
    pub fn map_into<'v, 'o>(
        &mut self, direction: Direction, from: impl Into<View<'v>>, context: Option<View<'_>>, to: impl Into<Out<'o>>,
        log_det: Option<Out<'_>>,
    ) -> Result<()> {
        let (from, to, s) = (from.into(), to.into(), self.raw());
        let (context, log_det) = (maybe(&context), maybe_out(&log_det));
        check(|e| unsafe {
            match direction {
                Direction::Forward => sys::nf_forward(s, from.raw(), context, to.raw(), log_det, e),
                Direction::Inverse => sys::nf_inverse(s, from.raw(), context, to.raw(), log_det, e),
            }
        })
    }
    /// The rows before, between and after all layers, `[layer_count + 1, n, columns]`, and what each layer adds to log_det,
    /// `[layer_count, n]`.
    pub fn trace<'v, T: Float>(
        &mut self, direction: Direction, from: impl Into<View<'v>>, context: Option<View<'_>>,
    ) -> Result<Mapped<T>> {
        let from = from.into();
        let (layers, columns) = (self.info.layer_count, self.columns(direction).0);
        let (shape, dets) = ([layers + 1, from.len(), columns], [layers, from.len()]);
        let mut to = Mapped { rows: zeros(&shape)?, log_det: zeros(&dets)? };
        self.trace_into(direction, from, context, Out::new(&mut to.rows, &shape)?, Some(Out::new(&mut to.log_det, &dets)?))?;
        Ok(to)
    }
    /// The same into memory of the caller.
    pub fn trace_into<'v, 'o>(
        &mut self, direction: Direction, from: impl Into<View<'v>>, context: Option<View<'_>>, out: impl Into<Out<'o>>,
        log_det: Option<Out<'_>>,
    ) -> Result<()> {
        let (from, out, s) = (from.into(), out.into(), self.raw());
        check(|e| unsafe {
            sys::nf_trace(s, direction.raw(), from.raw(), maybe(&context), out.raw(), maybe_out(&log_det), e)
        })
    }

    /// n samples as rows: those of a seed, or what a [`Sampling`] says.
    pub fn sample<T: Float>(&mut self, n: usize, how: impl Into<Sampling>, context: Option<View<'_>>) -> Result<Vec<T>> {
        let shape = [n, self.info.event_size];
        let mut out = zeros(&shape)?;
        self.sample_into(how, context, Out::new(&mut out, &shape)?, None)?;
        Ok(out)
    }
    /// Fills rows with samples, and their log_prob from the same pass.
    pub fn sample_into<'o>(
        &mut self, how: impl Into<Sampling>, context: Option<View<'_>>, out: impl Into<Out<'o>>, log_prob: Option<Out<'_>>,
    ) -> Result<()> {
        let (how, out) = (how.into().raw(), out.into());
        check(|e| unsafe { sys::nf_sample(self.raw(), &how, maybe(&context), out.raw(), maybe_out(&log_prob), e) })
    }
    /// An endless iterator over samples, one row each. It computes them in blocks. A context has one row.
    pub fn samples<'s, T: Float>(
        &'s mut self, how: impl Into<Sampling>, context: Option<View<'s>>,
    ) -> crate::samples::Samples<'s, 'm, T> {
        crate::samples::Samples::new(self, how.into(), context)
    }

    /// log-density of the base distribution at latents z.
    pub fn base_log_prob<'v, T: Float>(&mut self, z: impl Into<View<'v>>, context: Option<View<'_>>) -> Result<Vec<T>> {
        let z = z.into();
        let mut out = zeros(&[z.len()])?;
        let to = Out::from(&mut out);
        check(|e| unsafe { sys::nf_base_log_prob(self.raw(), z.raw(), maybe(&context), to.raw(), e) })?;
        Ok(out)
    }
    /// The latents of the samples that [`sample`](Self::sample) draws.
    pub fn base_sample<T: Float>(
        &mut self, n: usize, how: impl Into<Sampling>, context: Option<View<'_>>,
    ) -> Result<Vec<T>> {
        let (how, shape) = (how.into().raw(), [n, self.info.latent_size]);
        let mut out = zeros(&shape)?;
        let to = Out::new(&mut out, &shape)?;
        check(|e| unsafe { sys::nf_base_sample(self.raw(), &how, maybe(&context), to.raw(), e) })?;
        Ok(out)
    }
    /// Maps u in (0, 1) through the inverse distribution function of each column of the base.
    pub fn base_quantile<'v, T: Float>(&mut self, u: impl Into<View<'v>>, context: Option<View<'_>>) -> Result<Vec<T>> {
        let u = u.into();
        let shape = [u.len(), self.info.latent_size];
        let mut out = zeros(&shape)?;
        let to = Out::new(&mut out, &shape)?;
        check(|e| unsafe { sys::nf_base_quantile(self.raw(), u.raw(), maybe(&context), to.raw(), e) })?;
        Ok(out)
    }
}
