//! A whole fit in one call.
use std::ffi::c_void;
use std::ops::{ControlFlow, Deref};

use nf_sys as sys;

use crate::callback::guard;
use crate::data::Batch;
use crate::error::{check, Result};
use crate::model::{set_note, Model};
use crate::options::{self, Options};

/// Why a fit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FitStop {
    /// All steps were taken.
    Finished,
    /// The validation score has not improved for "fit.patience" validations.
    Patience,
    /// The callback asked for it.
    Requested,
}

/// How far a fit is, or how it ended. The fields are those of nf_fit_info.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs)]
pub struct FitInfo {
    /// In a callback: whether `valid` is new.
    pub validated: bool,
    /// Whether the last validation was the best so far.
    pub improved: bool,
    /// Why the run ended.
    pub stop: Option<FitStop>,
    pub step: u64,
    pub planned: u64,
    /// Step of the best validation, 0 if none had a row with a density so far.
    pub best_step: u64,
    pub steps_per_epoch: u64,
    pub train_rows: u64,
    pub valid_rows: u64,
    pub loss: f64,
    /// Mean of -loss over the steps since the last validation.
    pub train: f64,
    /// Weighted mean log_prob of the validation rows.
    pub valid: f64,
    pub valid_error: f64,
    pub best: f64,
    pub lr: f64,
    pub grad_norm: f64,
    pub seconds: f64,
    /// Validation rows without a finite log_prob.
    pub bad_rows: u64,
    /// The first of them.
    pub bad_row: Option<u64>,
    pub valid_rest: f64,
    pub batch_rows: u64,
    pub merged_rows: u64,
    pub valid_every: u64,
    pub diverged_at: u64,
    pub went_back: u32,
    /// In a callback: whether the model holds the weights that are kept, and the checkpoint follows.
    pub point: bool,
}
impl FitInfo {
    fn from_raw(i: &sys::nf_fit_info) -> Self {
        Self {
            validated: i.validated != 0,
            improved: i.improved != 0,
            stop: match i.stop as u32 {
                sys::NF_STOP_FINISHED => Some(FitStop::Finished),
                sys::NF_STOP_PATIENCE => Some(FitStop::Patience),
                sys::NF_STOP_REQUESTED => Some(FitStop::Requested),
                _ => None,
            },
            step: i.step,
            planned: i.planned,
            best_step: i.best_step,
            steps_per_epoch: i.steps_per_epoch,
            train_rows: i.train_rows as u64,
            valid_rows: i.valid_rows as u64,
            loss: i.loss,
            train: i.train,
            valid: i.valid,
            valid_error: i.valid_error,
            best: i.best,
            lr: i.lr,
            grad_norm: i.grad_norm,
            seconds: i.seconds,
            bad_rows: i.bad_rows as u64,
            bad_row: u64::try_from(i.bad_row).ok(),
            valid_rest: i.valid_rest,
            batch_rows: i.batch_rows as u64,
            merged_rows: i.merged_rows as u64,
            valid_every: i.valid_every,
            diverged_at: i.diverged_at,
            went_back: i.went_back as u32,
            point: i.point != 0,
        }
    }
}

/// The model during a fit: it may be scored, saved and cloned, and its notes may be set.
#[derive(Debug)]
pub struct Fitting<'f>(&'f Model);
impl Deref for Fitting<'_> {
    type Target = Model;
    fn deref(&self) -> &Model {
        self.0
    }
}
impl Fitting<'_> {
    /// Sets a note, which is in the checkpoint that follows, or removes it.
    pub fn set_note(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        // SAFETY: &mut self, so nobody borrows the notes; the thread is the one that fits.
        unsafe { set_note(self.0.raw(), key, value) }
    }
}

impl Model {
    /// Trains on `data` and leaves the weights of the best validation in the model. A tenth of the rows is held out, unless
    /// options or `valid` say otherwise. Options of scopes "fit", "trainer", "batches" and "session".
    ///
    /// ```
    /// # use libnf::{options, Batch, Model};
    /// let mut model = Model::new(r#"{"event": 2, "layers": [{"type": "standardize"}, {"type": "lu_linear"}]}"#, 1)?;
    /// let rows: Vec<[f32; 2]> = (0..500).map(|i| [(i % 23) as f32, (i % 7) as f32]).collect();
    /// let end = model.fit(&Batch::of(&rows), None, Some(&options! { "fit.steps" => 50 }?))?;
    /// assert_eq!(end.step, 50);
    /// # Ok::<(), libnf::Error>(())
    /// ```
    pub fn fit(&mut self, data: &Batch<'_>, valid: Option<&Batch<'_>>, options: Option<&Options>) -> Result<FitInfo> {
        self.fit_with(data, valid, options, |_, _| ControlFlow::Continue(()))
    }
    /// The same with a closure that is called after every step and once more after every validation. Breaking ends the run,
    /// which is not an error.
    pub fn fit_with<F>(
        &mut self, data: &Batch<'_>, valid: Option<&Batch<'_>>, options: Option<&Options>, on_progress: F,
    ) -> Result<FitInfo>
    where
        F: FnMut(&FitInfo, &mut Fitting<'_>) -> ControlFlow<()>,
    {
        let (data, valid) = (data.raw(), valid.map(Batch::raw));
        let valid = valid.as_ref().map_or(std::ptr::null(), |v| v as *const _);
        let m = self.raw();
        let mut state = State { on_progress, model: self };
        let user = (&mut state as *mut State<F>).cast();
        let mut info = sys::nf_fit_info::INIT;
        // SAFETY: &mut self; batches and state are borrowed for the call.
        check(|e| unsafe { sys::nf_fit(m, &data, valid, options::raw(options), Some(progress::<F>), user, &mut info, e) })?;
        Ok(FitInfo::from_raw(&info))
    }
}

struct State<F> {
    on_progress: F,
    model: *const Model,
}
unsafe extern "C" fn progress<F: FnMut(&FitInfo, &mut Fitting<'_>) -> ControlFlow<()>>(
    user: *mut c_void, info: *const sys::nf_fit_info,
) -> i32 {
    guard(1, || {
        // SAFETY: user is the state of `fit_with`, whose model nobody else uses.
        let (state, info) = unsafe { (&mut *user.cast::<State<F>>(), &*info) };
        let mut model = Fitting(unsafe { &*state.model });
        (state.on_progress)(&FitInfo::from_raw(info), &mut model).is_break().into()
    })
}
