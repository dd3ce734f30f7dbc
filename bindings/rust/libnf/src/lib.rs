//! Normalizing flows: a model learns the distribution of rows of numbers; it then gives every new row an exact log-density,
//! draws new rows, and maps rows to noise and back. This is a safe layer over [libnf](https://github.com/libnf/libnf), whose
//! headers say more about every call; the names are the same.
//!
//! ```
//! use libnf::{options, Batch, Model};
//!
//! let rows: Vec<[f32; 2]> = (0..1000).map(|i| { let t = i as f32 / 100.0; [t.sin(), t.cos() * t.sin()] }).collect();
//! let mut model = Model::new(r#"{"event": 2, "layers": [{"type": "standardize"},
//!     {"repeat": 4, "layers": [{"type": "affine_coupling", "hidden": [16]}, {"type": "reverse"}]}]}"#, 1)?;
//! model.fit(&Batch::of(&rows), None, Some(&options! { "fit.steps" => 100 }?))?;
//! let scores: Vec<f32> = model.score(&rows, None)?;     // log-density of every row
//! let drawn: Vec<f32> = model.draw(100, 7, None)?;      // 100 samples, seed 7
//! let file = model.to_bytes()?;                         // or model.save("flow.safetensors")
//! assert_eq!(Model::from_bytes(None, &file, None)?.score::<f32>(&rows, None)?, scores);
//! assert_eq!(drawn.len(), 200);
//! # Ok::<(), libnf::Error>(())
//! ```
//!
//! - **Threads.** A [`Model`] is shared by any number of threads; each has a [`Session`] of its own. What changes parameters
//!   takes `&mut Model`, so the compiler keeps it apart from sessions. The bits of a result do not depend on threads.
//! - **Memory.** Views borrow memory of any shape and stride and of several number types ([`View`], [`Out`]). What ends in
//!   `_into` allocates nothing.
//! - **Closures** are targets ([`Target::from_fn`]), losses ([`Trainer::step_on`]), sources, progress and logs. A panic in one
//!   is caught before it reaches libnf and goes on when the call returns.
//! - **Errors** carry libnf's message and, where there is one, the row and the layer at fault ([`Error`]).
#![deny(unsafe_op_in_unsafe_fn)]

mod callback;
mod data;
mod error;
mod fit;
mod gradient;
mod infer;
mod model;
#[cfg(feature = "ndarray")]
mod nd;
mod options;
mod runtime;
mod samples;
mod session;
#[cfg(feature = "spec")]
pub mod spec;
mod target;
mod trainer;
mod vae;
mod view;

pub use data::{save_table, Batch, Batches, Table};
pub use error::{Detail, Error, Result};
pub use fit::{FitInfo, FitStop, Fitting};
pub use gradient::{At, LogProbGrad, Pullback, PullbackInto, Pushforward, PushforwardInto};
pub use infer::{
    importance_coverage, importance_mean, importance_smooth, score_mean, CoverageInfo, Estimate, ImportanceInfo, ScoreInfo,
    Weighted,
};
pub use model::{LayerInfo, LogProbKind, Model, ModelInfo, TensorInfo};
pub use nf_sys;
pub use options::{OptionValue, Options};
pub use runtime::{Allocator, Executor, Level, Runtime, RuntimeBuilder};
pub use samples::Samples;
pub use session::{Direction, Mapped, Sampling, Session};
pub use target::{Chains, NativePoints, Points, Start, Stop, Target, TargetInfo};
pub use trainer::{source_fn, Collective, Cotangents, Source, SourceFn, StepInfo, Summands, Trainer};
pub use vae::{EncodeInto, Encoded};
pub use view::{Dtype, Float, Input, Out, View};

/// A static text of the library, "" if it is out of memory.
fn described(p: *const std::ffi::c_char) -> &'static str {
    // SAFETY: static.
    unsafe { error::text(p) }.unwrap_or_default()
}
/// Every option as JSON.
pub fn describe_options() -> &'static str {
    // SAFETY: here and below, the functions take nothing and return static texts.
    described(unsafe { nf_sys::nf_options_describe() })
}
/// What a spec may contain, as JSON: every layer, net and base with its fields.
pub fn describe_parts() -> &'static str {
    described(unsafe { nf_sys::nf_parts_describe() })
}
/// The built-in targets as JSON.
pub fn describe_targets() -> &'static str {
    described(unsafe { nf_sys::nf_targets_describe() })
}
/// Version of the loaded library: 200 is 0.2.0.
pub fn version() -> u32 {
    unsafe { nf_sys::nf_version() }
}
/// For logs and bug reports.
pub fn version_string() -> &'static str {
    described(unsafe { nf_sys::nf_version_string() })
}
