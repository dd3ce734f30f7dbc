//! Targets: densities known up to a factor.
use std::ffi::c_void;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use nf_sys as sys;

use crate::callback::{guard, slice};
use crate::error::{check, create, Result};
use crate::options::{self, Options};
use crate::runtime::{self, Runtime};
use crate::session::Session;
use crate::view::{maybe, maybe_out, zeros, Float, Out, View};

/// Why a callback ends the call that evaluates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It failed: [`Error::Callback`](crate::Error::Callback).
    Failed,
    /// It asks to stop: [`Error::Cancelled`](crate::Error::Cancelled).
    Cancelled,
}

/// Rows at which a target is evaluated, and where the results go.
#[derive(Debug)]
pub struct Points<'a, T> {
    /// The rows one after another.
    pub x: &'a [T],
    /// Columns of x.
    pub columns: usize,
    /// One row of the context for each row of x, or one for all, or none.
    pub context: Option<&'a [T]>,
    /// To be filled in: one number per row, up to a constant. -infinity where the density is 0.
    pub log_density: &'a mut [T],
    /// To be filled in, if it is wanted: the gradient by x, as x.
    pub gradient: Option<&'a mut [T]>,
}

/// The same in the numbers that the model computes in.
#[derive(Debug)]
pub enum NativePoints<'a> {
    /// Of a float32 model.
    F32(Points<'a, f32>),
    /// Of a float64 model.
    F64(Points<'a, f64>),
}

type Function = dyn Fn(NativePoints<'_>) -> std::result::Result<(), Stop> + Send + Sync;

/// What libnf calls. It lives until the last handle that was given the target is gone.
pub(crate) struct Callback(Box<Function>);

/// A density known up to a factor, to fit a flow to, to weight samples by, and to run Markov chains on. Several threads may use
/// one at once, so a closure is `Fn + Sync`.
///
/// A panic of the closure goes on in the call that evaluates the target, after libnf has returned.
/// ```
/// # use libnf::{Target, View};
/// let normal = Target::from_fn(2, |p| {
///     for (row, log_density) in p.x.chunks(p.columns).zip(p.log_density) {
///         *log_density = -0.5 * row.iter().map(|v| v * v).sum::<f64>();
///     }
///     if let Some(gradient) = p.gradient {
///         for (g, v) in gradient.iter_mut().zip(p.x) {
///             *g = -v;
///         }
///     }
///     Ok(())
/// })?;
/// assert_eq!(normal.log_density::<f64>(&[[3.0f64, 4.0]], None)?, [-12.5]);
/// # Ok::<(), libnf::Error>(())
/// ```
pub struct Target {
    raw: NonNull<sys::nf_target>,
    callback: Option<Arc<Callback>>,
    _runtime: Option<Runtime>,
}
// SAFETY: no call depends on the thread, and closures are Send and Sync.
unsafe impl Send for Target {}
// SAFETY: what takes &self is [shared].
unsafe impl Sync for Target {}
impl Drop for Target {
    fn drop(&mut self) {
        // SAFETY: owned; the closure is dropped later.
        unsafe { sys::nf_target_free(self.raw.as_ptr()) }
    }
}
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.callback.is_some() { "Target(closure)" } else { "Target(built in)" })
    }
}

/// What is known about a target.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct TargetInfo {
    /// Whether it is built in.
    pub builtin: bool,
    /// Columns of x.
    pub event_size: usize,
    /// Log of the integral: NaN if unknown, infinity if it diverges.
    pub log_z: f64,
}

impl Target {
    /// A built-in target: `"u1"` or `{"type": "u1", "radius": 4}`.
    pub fn new(spec: &str, event_size: usize) -> Result<Self> {
        Self::with_runtime(None, spec, event_size)
    }
    /// The same in a runtime.
    pub fn with_runtime(rt: Option<&Runtime>, spec: &str, event_size: usize) -> Result<Self> {
        let (p, n) = (spec.as_ptr().cast(), spec.len());
        // SAFETY: here and below, handles are ours and pointers valid for the call.
        let raw = create(sys::nf_target_free, |out, e| unsafe {
            sys::nf_target_create(runtime::raw(rt), p, n, event_size as i64, out, e)
        })?;
        Ok(Self { raw, callback: None, _runtime: rt.cloned() })
    }
    /// A closure in `f64`, whatever the model computes in.
    pub fn from_fn<F>(event_size: usize, f: F) -> Result<Self>
    where
        F: Fn(Points<'_, f64>) -> std::result::Result<(), Stop> + Send + Sync + 'static,
    {
        let only_f64 = move |p: NativePoints<'_>| match p {
            NativePoints::F64(p) => f(p),
            NativePoints::F32(_) => Err(Stop::Failed),
        };
        Self::from_callback(None, event_size, Box::new(only_f64), sys::nf_target_create_callback_f64)
    }
    /// A closure in the numbers that the model computes in. In a runtime, or with one of its own.
    pub fn from_native_fn<F>(rt: Option<&Runtime>, event_size: usize, f: F) -> Result<Self>
    where
        F: Fn(NativePoints<'_>) -> std::result::Result<(), Stop> + Send + Sync + 'static,
    {
        Self::from_callback(rt, event_size, Box::new(f), sys::nf_target_create_callback)
    }
    fn from_callback(rt: Option<&Runtime>, event_size: usize, f: Box<Function>, make: MakeCallback) -> Result<Self> {
        let callback = Arc::new(Callback(f));
        let user = Arc::as_ptr(&callback).cast_mut().cast::<c_void>();
        let raw = create(sys::nf_target_free, |out, e| unsafe {
            make(runtime::raw(rt), event_size as i64, Some(evaluate), user, out, e)
        })?;
        Ok(Self { raw, callback: Some(callback), _runtime: rt.cloned() })
    }
    pub(crate) fn raw(&self) -> *const sys::nf_target {
        self.raw.as_ptr()
    }
    pub(crate) fn callback(&self) -> Option<Arc<Callback>> {
        self.callback.clone()
    }

    /// What is known about it.
    pub fn info(&self) -> Result<TargetInfo> {
        let mut i = sys::nf_target_info::INIT;
        check(|e| unsafe { sys::nf_target_get_info(self.raw(), &mut i, e) })?;
        Ok(TargetInfo { builtin: i.builtin != 0, event_size: i.event_size as usize, log_z: i.log_z })
    }
    /// Log density of every row.
    pub fn log_density<'v, T: Float>(&self, x: impl Into<View<'v>>, context: Option<View<'_>>) -> Result<Vec<T>> {
        let x = x.into();
        let mut out = zeros(&[x.len()])?;
        self.log_density_into(x, context, &mut out, None)?;
        Ok(out)
    }
    /// Log density `[n]` and, if it is wanted, the gradient `[n, event_size]`.
    pub fn log_density_into<'v, 'o>(
        &self, x: impl Into<View<'v>>, context: Option<View<'_>>, log_density: impl Into<Out<'o>>, gradient: Option<Out<'_>>,
    ) -> Result<()> {
        let (x, out) = (x.into(), log_density.into());
        check(|e| unsafe {
            sys::nf_target_log_density(self.raw(), x.raw(), maybe(&context), out.raw(), maybe_out(&gradient), e)
        })
    }
    /// Runs Markov chains on the target: rows `[draws, chains, event_size]`. Options of scope "metropolis".
    pub fn metropolis<T: Float>(
        &self, draws: usize, chains: usize, start: Start<'_, '_, '_>, options: Option<&Options>,
    ) -> Result<Chains<T>> {
        let shape = [draws, chains, self.info()?.event_size];
        let mut rows = zeros(&shape)?;
        let mut info = sys::nf_metropolis_info::INIT;
        {
            let out = Out::new(&mut rows, &shape)?;
            let proposal = start.proposal.map_or(std::ptr::null_mut(), Session::raw);
            let rt = runtime::raw(start.runtime);
            let (at, context) = (maybe(&start.at), maybe(&start.context));
            check(|e| unsafe {
                sys::nf_metropolis(rt, self.raw(), proposal, options::raw(options), at, context, out.raw(), &mut info, e)
            })?;
        }
        Ok(Chains { rows, steps: info.steps, acceptance: info.acceptance })
    }
}

/// How chains start and move. By default, random walks from standard normal rows.
#[derive(Debug, Default)]
pub struct Start<'a, 's, 'm> {
    /// Proposals are samples of this session's model.
    pub proposal: Option<&'s mut Session<'m>>,
    /// The context of the proposal, one row.
    pub context: Option<View<'a>>,
    /// The first row of each chain.
    pub at: Option<View<'a>>,
    /// Where to run.
    pub runtime: Option<&'a Runtime>,
}

/// Draws of Markov chains.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Chains<T> {
    /// `[draws, chains, event_size]`
    pub rows: Vec<T>,
    /// Steps of each chain, including burn-in and thinning.
    pub steps: u64,
    /// Fraction of proposals accepted after burn-in.
    pub acceptance: f64,
}

type MakeCallback = unsafe extern "C" fn(
    *mut sys::nf_runtime,
    i64,
    sys::nf_target_fn,
    *mut c_void,
    *mut *mut sys::nf_target,
    *mut sys::nf_error,
) -> sys::nf_status;

/// The memory of a callback's view as slices.
///
/// # Safety
/// The pointers are those of nf_target_fn, in numbers of T.
unsafe fn points<'a, T>(
    x: *const sys::nf_view, ctx: *const sys::nf_view, log_density: *const sys::nf_out, gradient: *const sys::nf_out,
) -> Points<'a, T> {
    unsafe fn numbers<'a, T>(v: *mut c_void, shape: &[i64]) -> &'a mut [T] {
        let n = shape.iter().product::<i64>() as usize;
        if n == 0 {
            &mut []
        } else {
            unsafe { std::slice::from_raw_parts_mut(v.cast(), n) }
        }
    }
    unsafe {
        let (n, columns) = ((*x).shape[0], (*x).shape[1]);
        Points {
            x: slice((*x).data.cast(), (n * columns) as usize),
            columns: columns as usize,
            context: (!ctx.is_null()).then(|| slice((*ctx).data.cast(), ((*ctx).shape[0] * (*ctx).shape[1]) as usize)),
            log_density: numbers((*log_density).data, &[n]),
            gradient: (!gradient.is_null()).then(|| numbers((*gradient).data, &[n, columns])),
        }
    }
}

unsafe extern "C" fn evaluate(
    user: *mut c_void, x: *const sys::nf_view, ctx: *const sys::nf_view, log_density: *const sys::nf_out,
    gradient: *const sys::nf_out,
) -> i32 {
    guard(-1, || {
        // SAFETY: user is the Callback, which outlives the target; the views are as nf_target_fn says.
        let done = unsafe {
            let callback = &*user.cast::<Callback>();
            let points = if (*x).dtype == sys::NF_F64 as i32 {
                NativePoints::F64(points(x, ctx, log_density, gradient))
            } else {
                NativePoints::F32(points(x, ctx, log_density, gradient))
            };
            (callback.0)(points)
        };
        match done {
            Ok(()) => 0,
            Err(Stop::Failed) => -1,
            Err(Stop::Cancelled) => 1,
        }
    })
}
