//! Training in a loop of the host.
use std::ffi::c_void;
use std::fmt;
use std::io::Write;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use nf_sys as sys;

use crate::callback::{guard, written, written_text};
use crate::data::{Batch, Batches};
use crate::error::{c_path, c_text, check, create, Result};
use crate::model::Model;
use crate::options::{self, Options};
use crate::session::{Direction, Mapped, Session};
use crate::target::{Callback, Stop, Target};
use crate::view::{maybe, Float, View};

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct StepInfo {
    /// Steps applied so far.
    pub step: u64,
    /// The objective before the step, in nats.
    pub loss: f64,
    /// Its standard error for objectives that draw samples, otherwise 0.
    pub loss_error: f64,
    /// 2-norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Learning rate of this step.
    pub lr: f64,
    /// Wall time of this call.
    pub seconds: f64,
    /// Whether "trainer.guard" found at this step that the run has diverged.
    pub diverged: bool,
    /// How often it went back to the best state so far.
    pub went_back: u32,
    /// "trainer.memory" = "invert": largest relative error of a rebuilt input.
    pub drift: f64,
    /// The layer that it is the input of.
    pub drift_layer: u32,
    /// How many layers have drifted too far, and keep their inputs.
    pub kept_inputs: u32,
}
impl StepInfo {
    fn from_raw(i: &sys::nf_step_info) -> Self {
        Self {
            step: i.step,
            loss: i.loss,
            loss_error: i.loss_error,
            grad_norm: i.grad_norm,
            lr: i.lr,
            seconds: i.seconds,
            diverged: i.diverged != 0,
            went_back: i.went_back as u32,
            drift: i.drift,
            drift_layer: i.drift_layer as u32,
            kept_inputs: i.kept_inputs as u32,
        }
    }
}

/// Numbers to be summed over all processes, in place.
#[derive(Debug)]
pub enum Summands<'a> {
    /// Of a float32 model.
    F32(&'a mut [f32]),
    /// Of a float64 model.
    F64(&'a mut [f64]),
}
type Sum = dyn FnMut(Summands<'_>) -> std::result::Result<(), Stop> + Send;

/// Data-parallel training over processes.
pub struct Collective {
    rank: u32,
    world: u32,
    sum: Box<Sum>,
}
impl Collective {
    /// `sum` sums numbers over all `world` processes, in place; its calls come in one fixed order.
    pub fn new<F>(rank: u32, world: u32, sum: F) -> Self
    where
        F: FnMut(Summands<'_>) -> std::result::Result<(), Stop> + Send + 'static,
    {
        Self { rank, world, sum: Box::new(sum) }
    }
}
impl fmt::Debug for Collective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collective({} of {})", self.rank, self.world)
    }
}

/// Yields the batches of a run. The views are borrowed until the next call. [`source_fn`] makes one of a closure.
pub trait Source {
    /// The batch of step number `step`, or `None` at the end.
    fn next(&mut self, step: u64) -> Option<Batch<'_>>;
}
/// A closure as a [`Source`]: see [`source_fn`].
#[derive(Debug)]
pub struct SourceFn<'d, F>(F, PhantomData<&'d ()>);
impl<'d, F: FnMut(u64) -> Option<Batch<'d>>> Source for SourceFn<'d, F> {
    fn next(&mut self, step: u64) -> Option<Batch<'_>> {
        (self.0)(step)
    }
}
/// Makes a source of a closure that returns views of data outside of itself.
pub fn source_fn<'d, F: FnMut(u64) -> Option<Batch<'d>>>(f: F) -> SourceFn<'d, F> {
    SourceFn(f, PhantomData)
}

/// Derivatives of a loss by what a map returned. Each may be missing.
#[derive(Clone, Copy, Debug)]
pub struct Cotangents<'a> {
    /// Which way the rows of the batch are mapped.
    pub direction: Direction,
    /// As the rows that the map gives.
    pub out: Option<View<'a>>,
    /// `[n]`
    pub log_det: Option<View<'a>>,
    /// `[n]`
    pub log_prob: Option<View<'a>>,
}

/// Optimizer state of a model, which it borrows. Between steps, [`model`](Self::model) scores with it.
///
/// ```compile_fail,E0502
/// # use libnf::{Batch, Model, Trainer};
/// let mut model = Model::new(r#"{"event": 2, "layers": [{"type": "affine"}]}"#, 1)?;
/// let mut trainer = Trainer::new(&mut model, None)?;
/// let mut session = trainer.model().session(None)?;
/// trainer.step(&Batch::of(&[[0.0f32, 1.0]; 8]))?; // changes the model while a session uses it
/// session.log_prob::<f32>(&[[0.0f32, 1.0]], None)?;
/// # Ok::<(), libnf::Error>(())
/// ```
pub struct Trainer<'m> {
    raw: NonNull<sys::nf_trainer>,
    model: *const Model,
    target: Option<Arc<Callback>>,
    _collective: Option<Box<Collective>>,
    owned: Option<NonNull<Model>>, // from a Box
    lives: PhantomData<&'m mut Model>,
}
// SAFETY: no call depends on the thread. It is not Sync: saving is [excl] and takes &self.
unsafe impl Send for Trainer<'_> {}
impl Drop for Trainer<'_> {
    fn drop(&mut self) {
        // SAFETY: owned; the callbacks are dropped later.
        unsafe {
            sys::nf_trainer_free(self.raw.as_ptr());
            if let Some(model) = self.owned.take() {
                drop(Box::from_raw(model.as_ptr()));
            }
        }
    }
}
impl fmt::Debug for Trainer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trainer(step {})", self.step_count())
    }
}

impl Trainer<'static> {
    /// A trainer that owns its model, for structs and threads that hold both.
    pub fn of(model: Model, options: Option<&Options>) -> Result<Self> {
        let mut model = Box::new(model);
        // SAFETY: the model stays where it is, and is used through the trainer only, until the trainer is dropped.
        let mut trainer = Self::make(unsafe { &mut *(&mut *model as *mut Model) }, options, None)?;
        trainer.owned = NonNull::new(Box::into_raw(model));
        trainer.model = trainer.owned.map_or(std::ptr::null(), |m| m.as_ptr().cast_const());
        Ok(trainer)
    }
    /// Gives back the model, without the optimizer state. Panics if the trainer is not one of [`Trainer::of`].
    pub fn into_model(mut self) -> Model {
        let model = self.owned.take().expect("'static: made by Trainer::of");
        drop(self);
        // SAFETY: from a Box, and nobody else has it any more.
        *unsafe { Box::from_raw(model.as_ptr()) }
    }
}
impl<'m> Trainer<'m> {
    /// Options of scope "trainer".
    pub fn new(model: &'m mut Model, options: Option<&Options>) -> Result<Self> {
        Self::make(model, options, None)
    }
    /// One of several processes that train the same model.
    pub fn with_collective(model: &'m mut Model, options: Option<&Options>, collective: Collective) -> Result<Self> {
        Self::make(model, options, Some(Box::new(collective)))
    }
    fn make(model: &'m mut Model, options: Option<&Options>, mut collective: Option<Box<Collective>>) -> Result<Self> {
        let mut table = sys::nf_collective::INIT;
        let mut given = std::ptr::null();
        if let Some(c) = &mut collective {
            (table.rank, table.world) = (c.rank as i32, c.world as i32);
            table.user = (&mut **c as *mut Collective).cast();
            table.allreduce_sum = Some(sum);
            given = &table;
        }
        let m = model.raw();
        // SAFETY: here and below, handles are ours, views are borrowed for the call, and out-parameters are valid.
        let raw = create(sys::nf_trainer_free, |out, e| unsafe {
            sys::nf_trainer_create(m, options::raw(options), given, out, e)
        })?;
        Ok(Self { raw, model, target: None, _collective: collective, owned: None, lives: PhantomData })
    }
    fn raw(&self) -> *mut sys::nf_trainer {
        self.raw.as_ptr()
    }
    /// The model as it is now.
    pub fn model(&self) -> &Model {
        // SAFETY: borrowed for 'm, and changed only by what takes &mut self.
        unsafe { &*self.model }
    }
    /// All settings, defaults included, as JSON.
    pub fn options(&self) -> Result<String> {
        written_text(|write, user, e| unsafe { sys::nf_trainer_options(self.raw(), write, user, e) })
    }
    /// Sets or replaces the target of an objective that has one.
    pub fn set_target(&mut self, target: &Target) -> Result<()> {
        check(|e| unsafe { sys::nf_trainer_set_target(self.raw(), target.raw(), e) })?;
        self.target = target.callback();
        Ok(())
    }
    /// Bytes it holds.
    pub fn bytes(&self) -> usize {
        unsafe { sys::nf_trainer_bytes(self.raw()) }
    }
    /// Steps applied so far.
    pub fn step_count(&self) -> u64 {
        unsafe { sys::nf_trainer_step_count(self.raw()) }
    }

    /// Takes one step. Objectives that draw their rows take a batch that has at most a context.
    pub fn step(&mut self, batch: &Batch<'_>) -> Result<StepInfo> {
        let mut info = sys::nf_step_info::INIT;
        let raw = batch.raw();
        check(|e| unsafe { sys::nf_train_step(self.raw(), given(&raw), &mut info, e) })?;
        Ok(StepInfo::from_raw(&info))
    }
    /// The objective and its standard error on a batch, without a step.
    pub fn evaluate(&mut self, batch: &Batch<'_>) -> Result<(f64, f64)> {
        let (mut loss, mut error, raw) = (0.0, 0.0, batch.raw());
        check(|e| unsafe { sys::nf_trainer_evaluate(self.raw(), given(&raw), &mut loss, &mut error, e) })?;
        Ok((loss, error))
    }

    /// Adds gradients of the parameters, from derivatives of a loss of the host.
    pub fn accumulate(&mut self, batch: &Batch<'_>, cotangents: &Cotangents<'_>) -> Result<()> {
        let raw = batch.raw();
        let mut c = sys::nf_cotangents::INIT;
        c.direction = cotangents.direction.raw();
        (c.out, c.log_det) = (maybe(&cotangents.out), maybe(&cotangents.log_det));
        c.log_prob = maybe(&cotangents.log_prob);
        check(|e| unsafe { sys::nf_trainer_accumulate(self.raw(), &raw, &c, e) })
    }
    /// Takes one optimizer step with the gradients added so far. `loss` is for the info only.
    pub fn apply(&mut self, loss: f64) -> Result<StepInfo> {
        let mut info = sys::nf_step_info::INIT;
        check(|e| unsafe { sys::nf_trainer_apply(self.raw(), loss, &mut info, e) })?;
        Ok(StepInfo::from_raw(&info))
    }
    /// Forgets the gradients added so far.
    pub fn discard(&mut self) -> Result<()> {
        check(|e| unsafe { sys::nf_trainer_discard(self.raw(), e) })
    }
    /// Takes one step on a loss that a closure computes. It is given what the map makes of the batch, and fills in the
    /// derivatives of its loss by those numbers, which are 0 before. Returning `None` skips the step.
    pub fn step_on<T: Float>(
        &mut self, batch: &Batch<'_>, direction: Direction, loss: impl FnOnce(&Mapped<T>, &mut Mapped<T>) -> Option<f64>,
    ) -> Result<Option<StepInfo>> {
        let Some(x) = batch.x else {
            return Err(crate::error::Error::argument("batch.x is missing: expected the rows to map"));
        };
        let mut session = Session::new(self.model(), None)?;
        let columns = session.columns(direction).1;
        let mapped = session.map(direction, x, batch.context)?;
        drop(session);
        let mut cotangents =
            Mapped { rows: vec![T::default(); mapped.rows.len()], log_det: vec![T::default(); mapped.log_det.len()] };
        let Some(value) = loss(&mapped, &mut cotangents) else { return Ok(None) };
        let out = Some(View::rows(&cotangents.rows, columns)?);
        let log_det = Some(View::from(&cotangents.log_det));
        self.accumulate(batch, &Cotangents { direction, out, log_det, log_prob: None })?;
        self.apply(value).map(Some)
    }

    /// Trains until `max_steps` steps have been applied in total (0 = no limit), the source ends, or `on_step` breaks.
    /// Returns whether it broke.
    pub fn run<S: Source>(
        &mut self, source: &mut S, max_steps: u64, on_step: impl FnMut(&StepInfo) -> ControlFlow<()>,
    ) -> Result<bool> {
        let mut reader = Reader { source, x: [sys::nf_view::INIT; 4] };
        let mut raw = sys::nf_source::INIT;
        raw.user = (&mut reader as *mut Reader<'_, S>).cast();
        raw.next = Some(next::<S>);
        self.run_raw(&raw, max_steps, on_step)
    }
    /// The same with mini-batches.
    pub fn run_batches(
        &mut self, batches: &mut Batches<'_>, max_steps: u64, on_step: impl FnMut(&StepInfo) -> ControlFlow<()>,
    ) -> Result<bool> {
        let mut raw = sys::nf_source::INIT;
        check(|e| unsafe { sys::nf_batches_source(batches.raw(), &mut raw, e) })?;
        self.run_raw(&raw, max_steps, on_step)
    }
    /// The same for objectives without data, on models without a context.
    pub fn run_without_data(&mut self, max_steps: u64, on_step: impl FnMut(&StepInfo) -> ControlFlow<()>) -> Result<bool> {
        self.run_raw(std::ptr::null(), max_steps, on_step)
    }
    fn run_raw<F: FnMut(&StepInfo) -> ControlFlow<()>>(
        &mut self, source: *const sys::nf_source, max_steps: u64, on_step: F,
    ) -> Result<bool> {
        let mut progress = Progress { on_step, broke: false };
        let user = (&mut progress as *mut Progress<F>).cast();
        let t = self.raw();
        let done = check(|e| unsafe { sys::nf_train_run(t, source, max_steps, Some(stepped::<F>), user, e) });
        match done {
            Err(crate::Error::Cancelled(_)) if progress.broke => Ok(true),
            done => done.map(|()| false),
        }
    }

    /// Reports a validation loss to schedule "plateau".
    pub fn observe(&mut self, validation_loss: f64) -> Result<()> {
        check(|e| unsafe { sys::nf_trainer_observe(self.raw(), validation_loss, e) })
    }
    /// Changes the learning rate that the schedule starts from: of one group of parameters, or of all.
    pub fn set_lr(&mut self, group: Option<&str>, lr: f64) -> Result<()> {
        let group = group.map(c_text).transpose()?;
        let group = group.as_ref().map_or(std::ptr::null(), |g| g.as_ptr());
        check(|e| unsafe { sys::nf_trainer_set_lr(self.raw(), group, lr, e) })
    }
    /// Begins anew from the parameters in the model, for other data.
    pub fn restart(&mut self, keep_moments: bool) -> Result<()> {
        check(|e| unsafe { sys::nf_trainer_restart(self.raw(), keep_moments.into(), e) })
    }
    /// Saves a checkpoint, from which training continues with the same bits.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(|e| unsafe { sys::nf_trainer_save(self.raw(), path.as_ptr(), e) })
    }
    /// Writes a checkpoint to a writer.
    pub fn write_to(&self, to: &mut impl Write) -> Result<()> {
        written(to, |write, user, e| unsafe { sys::nf_trainer_save_stream(self.raw(), write, user, e) })
    }
    /// Continues from a checkpoint.
    pub fn restore(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(|e| unsafe { sys::nf_trainer_restore(self.raw(), path.as_ptr(), e) })
    }
    /// Continues from the bytes of a checkpoint.
    pub fn restore_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        check(|e| unsafe { sys::nf_trainer_restore_memory(self.raw(), bytes.as_ptr().cast(), bytes.len(), e) })
    }
    /// With option "trainer.ema_decay": puts the averaged parameters into the model, or those of the last step back.
    pub fn use_average(&mut self, on: bool) -> Result<()> {
        check(|e| unsafe { sys::nf_trainer_use_average(self.raw(), on.into(), e) })
    }
}

/// Objectives without data take no batch where there is nothing in it.
fn given(raw: &sys::nf_batch) -> *const sys::nf_batch {
    let all = [raw.x, raw.ctx, raw.weight, raw.scores, raw.part];
    if all.iter().all(|v| v.is_null()) {
        std::ptr::null()
    } else {
        raw
    }
}

/// A source, and copies of the views of its last batch.
struct Reader<'s, S> {
    source: &'s mut S,
    x: [sys::nf_view; 4],
}
unsafe extern "C" fn next<S: Source>(user: *mut c_void, step: u64, batch: *mut sys::nf_batch) -> i32 {
    guard(-1, || {
        // SAFETY: user is the reader of `run`; the batch is ours to fill in.
        let (reader, to) = unsafe { (&mut *user.cast::<Reader<'_, S>>(), &mut *batch) };
        let Some(b) = reader.source.next(step) else { return 0 };
        for (from, copy) in [b.x, b.context, b.weight, b.scores].iter().zip(&mut reader.x) {
            if let Some(v) = from {
                // SAFETY: a View is an nf_view.
                *copy = unsafe { *v.raw() };
            }
        }
        let [has_x, has_context, has_weight, has_scores] = [b.x, b.context, b.weight, b.scores].map(|v| v.is_some());
        let at = |has: bool, i: usize| if has { &reader.x[i] as *const _ } else { std::ptr::null() };
        (to.x, to.ctx) = (at(has_x, 0), at(has_context, 1));
        (to.weight, to.scores) = (at(has_weight, 2), at(has_scores, 3));
        1
    })
}

struct Progress<F> {
    on_step: F,
    broke: bool,
}
unsafe extern "C" fn stepped<F: FnMut(&StepInfo) -> ControlFlow<()>>(
    user: *mut c_void, info: *const sys::nf_step_info,
) -> i32 {
    guard(1, || {
        // SAFETY: user is the progress of `run_raw`.
        let (progress, info) = unsafe { (&mut *user.cast::<Progress<F>>(), &*info) };
        progress.broke = (progress.on_step)(&StepInfo::from_raw(info)).is_break();
        progress.broke.into()
    })
}

unsafe extern "C" fn sum(user: *mut c_void, buffer: *mut c_void, n: usize, dtype: sys::nf_dtype) -> i32 {
    guard(1, || {
        // SAFETY: user is the collective of the trainer, and buffer has n numbers of dtype.
        let done = unsafe {
            let collective = &mut *user.cast::<Collective>();
            let numbers = if dtype == sys::NF_F64 as i32 {
                Summands::F64(slice_mut(buffer.cast(), n))
            } else {
                Summands::F32(slice_mut(buffer.cast(), n))
            };
            (collective.sum)(numbers)
        };
        done.is_err().into()
    })
}
/// # Safety
/// As of `slice::from_raw_parts_mut`, but the pointer may be anything if n is 0.
unsafe fn slice_mut<'a, T>(p: *mut T, n: usize) -> &'a mut [T] {
    if n == 0 {
        &mut []
    } else {
        unsafe { std::slice::from_raw_parts_mut(p, n) }
    }
}
