//! The transformation of nuts-rs as a flow of libnf. NUTS runs on latents z of a flow whose density p(x(z)) |det dx/dz| a good
//! fit makes standard normal. The flow is fitted to draws and their gradients by objective "fisher", the mean of
//! |z + pulled-back gradient|^2: the method of nutpie (https://github.com/pymc-devs/nutpie), in one process.
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libnf::{At, Batch, Direction, Model, Out, PullbackInto, Runtime, Session, Trainer, View, options};
use nuts_rs::{CpuLogpFunc, CpuMathError, HasDims, LogpError, Value, rand};

/// A log density up to a constant, and the layers that may straighten it.
pub trait Density: Clone + Send {
    /// Columns of x.
    fn columns(&self) -> usize;
    /// Log density at x; fills in its gradient.
    fn log_density(&self, x: &[f64], gradient: &mut [f64]) -> f64;
    /// The layers of the flow as JSON, which follow one scale and shift per column.
    fn layers(&self) -> String;
}

/// How a flow is fitted.
#[derive(Clone, Copy, Debug)]
pub struct Fit {
    /// Before so many points are known, only scales and shifts are set.
    pub scales_until: usize,
    /// The last so many points are fitted to, but at most half of all.
    pub window: usize,
    /// Training steps after each update, and rows of each.
    pub steps: usize,
    /// Rows of a step.
    pub batch: usize,
    /// The learning rate at the first step of an update; it falls to a twentieth.
    pub lr: f64,
}
impl Default for Fit {
    fn default() -> Self {
        Self { scales_until: 100, window: 2000, steps: 400, batch: 128, lr: 3e-3 }
    }
}

/// Why a point has no density, or what went wrong.
#[derive(Debug)]
pub enum FlowError {
    /// The density or its gradient is not finite: a divergence.
    NotFinite,
    /// An error of libnf.
    Libnf(libnf::Error),
}
impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FlowError::NotFinite => f.write_str("the density is not finite"),
            FlowError::Libnf(e) => e.fmt(f),
        }
    }
}
impl std::error::Error for FlowError {}
impl From<libnf::Error> for FlowError {
    fn from(e: libnf::Error) -> Self {
        FlowError::Libnf(e)
    }
}
impl LogpError for FlowError {
    fn is_recoverable(&self) -> bool {
        use libnf::Error::{NotInverted, Numeric};
        matches!(self, FlowError::NotFinite | FlowError::Libnf(Numeric(_) | NotInverted(_)))
    }
}

/// A flow that adapts. The sampler uses a copy, which stays as it is while the original trains on.
pub struct Flow {
    model: Option<Model>,              // until the first fit
    trainer: Option<Trainer<'static>>, // from then on: its optimizer state is kept from fit to fit
    session: RefCell<Session<'static>>,
    generation: i64,
}
impl Flow {
    fn new(columns: usize, layers: &str, seed: u64) -> libnf::Result<Self> {
        let spec =
            format!(r#"{{"dtype": "float64", "event": {columns}, "layers": [{{"type": "elementwise_affine"}}, {layers}]}}"#);
        let one = Runtime::with_threads(1)?; // chains are the threads
        let model = Model::with_runtime(Some(&one), &spec, seed)?;
        let session = RefCell::new(Self::snapshot(&model)?);
        Ok(Self { model: Some(model), trainer: None, session, generation: 0 })
    }
    /// A session of a copy.
    fn snapshot(model: &Model) -> libnf::Result<Session<'static>> {
        let o = options! { "session.gradients" => true, "session.nonfinite" => "propagate" }?;
        Session::of(Arc::new(model.try_clone(None)?), Some(&o))
    }
    /// A column's scale is sqrt(sd(x) / sd(gradient)), as in nutpie.
    fn set_scales(model: &mut Model, x: &[f64], gradients: &[f64], columns: usize) -> libnf::Result<()> {
        let moments = |v: &[f64], j: usize| {
            let column = || v.iter().skip(j).step_by(columns);
            let n = column().count() as f64;
            let mean = column().sum::<f64>() / n;
            (mean, column().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n)
        };
        let (mut log_scale, mut shift) = (vec![0.0; columns], vec![0.0; columns]);
        for j in 0..columns {
            let ((mean, var), (_, slope)) = (moments(x, j), moments(gradients, j));
            if var > 0.0 && slope > 0.0 {
                log_scale[j] = 0.25 * (slope / var).ln();
                shift[j] = -mean * log_scale[j].exp();
            }
        }
        model.set_tensor("layers.0.log_scale", &log_scale)?;
        model.set_tensor("layers.0.shift", &shift)
    }
    /// Adapts to points and gradients.
    fn update<R: rand::Rng + ?Sized>(
        &mut self, fit: Fit, x: &[f64], gradients: &[f64], columns: usize, rng: &mut R,
    ) -> libnf::Result<()> {
        let n = x.len() / columns;
        let from = (n - fit.window.min(n.div_ceil(2))) * columns;
        let (x, gradients) = (&x[from..], &gradients[from..]);
        if let Some(model) = self.model.as_mut() {
            Self::set_scales(model, x, gradients, columns)?;
        }
        if n >= fit.scales_until {
            if let Some(model) = self.model.take() {
                let o = options! { "trainer.objective" => "fisher", "trainer.clip_norm" => 1 }?;
                self.trainer = Some(Trainer::of(model, Some(&o))?);
            }
            let trainer = self.trainer.as_mut().expect("made above");
            let rows = x.len() / columns;
            let (mut batch, mut scores) = (vec![0.0; fit.batch * columns], vec![0.0; fit.batch * columns]);
            for k in 0..fit.steps {
                trainer.set_lr(None, fit.lr * (1.0 - 0.95 * k as f64 / fit.steps as f64))?;
                for r in 0..fit.batch {
                    let at = (rng.next_u64() % rows as u64) as usize * columns;
                    batch[r * columns..][..columns].copy_from_slice(&x[at..][..columns]);
                    scores[r * columns..][..columns].copy_from_slice(&gradients[at..][..columns]);
                }
                match trainer.step(&Batch::of(View::rows(&batch, columns)?).scores(View::rows(&scores, columns)?)) {
                    Ok(_) | Err(libnf::Error::Numeric(_)) => {} // such a step is not applied
                    Err(e) => return Err(e),
                }
            }
        }
        let now = self.trainer.as_ref().map(Trainer::model).or(self.model.as_ref()).expect("one of them");
        *self.session.get_mut() = Self::snapshot(now)?;
        self.generation = now.generation() as i64;
        Ok(())
    }
}

/// A density for nuts-rs whose transformation is a flow.
#[derive(Clone)]
pub struct FlowLogp<D> {
    density: D,
    fit: Fit,
    gradients: Arc<AtomicU64>,
}
impl<D: Density> FlowLogp<D> {
    /// `gradients` counts evaluations of the density.
    pub fn new(density: D, fit: Fit, gradients: Arc<AtomicU64>) -> Self {
        Self { density, fit, gradients }
    }
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64], clip: Option<f64>) -> Result<f64, FlowError> {
        self.gradients.fetch_add(1, Ordering::Relaxed);
        let log_p = self.density.log_density(x, gradient);
        if !log_p.is_finite() || gradient.iter().any(|g| !g.is_finite()) {
            return Err(FlowError::NotFinite);
        }
        if let Some(clip) = clip {
            gradient.iter_mut().for_each(|g| *g = clip * (*g / clip).asinh());
        }
        Ok(log_p)
    }
    /// With x(z): the gradient by z of log p(x) + log |det dx/dz|, from that of log p by x, and log |det dx/dz|.
    fn pull_back(flow: &Flow, z: &[f64], by_x: &[f64], by_z: &mut [f64]) -> Result<f64, FlowError> {
        let (columns, mut log_det) = (z.len(), [0f64]);
        let outs = PullbackInto {
            log_det: Some(Out::from(&mut log_det)),
            d_from: Some(Out::rows(by_z, columns)?),
            ..Default::default()
        };
        let one = [1f64];
        let cot = Some(View::rows(by_x, columns)?);
        flow.session.borrow_mut().vjp_into(At::inverse(View::rows(z, columns)?), cot, Some(View::from(&one)), outs)?;
        if !log_det[0].is_finite() || by_z.iter().any(|g| !g.is_finite()) {
            return Err(FlowError::NotFinite);
        }
        Ok(log_det[0])
    }
    fn map(flow: &Flow, d: Direction, from: &[f64], to: &mut [f64]) -> Result<(), FlowError> {
        let columns = from.len();
        Ok(flow.session.borrow_mut().map_into(d, View::rows(from, columns)?, None, Out::rows(to, columns)?, None)?)
    }
}

impl<D: Density> HasDims for FlowLogp<D> {
    fn dim_sizes(&self) -> HashMap<String, u64> {
        ["unconstrained_parameter", "dim"].map(|name| (name.to_owned(), self.density.columns() as u64)).into()
    }
    fn coords(&self) -> HashMap<String, Value> {
        HashMap::new()
    }
}

impl<D: Density> CpuLogpFunc for FlowLogp<D> {
    type LogpError = FlowError;
    type FlowParameters = Flow;
    type ExpandedVector = Vec<f64>;

    fn dim(&self) -> usize {
        self.density.columns()
    }
    fn logp(&mut self, position: &[f64], gradient: &mut [f64]) -> Result<f64, FlowError> {
        self.evaluate(position, gradient, None)
    }
    fn expand_vector<R: rand::Rng + ?Sized>(&mut self, _: &mut R, array: &[f64]) -> Result<Vec<f64>, CpuMathError> {
        Ok(array.to_vec())
    }

    fn new_transformation<R: rand::Rng + ?Sized>(&mut self, _: &mut R, dim: usize, chain: u64) -> Result<Flow, FlowError> {
        Ok(Flow::new(dim, &self.density.layers(), chain + 1)?)
    }
    fn init_transformation<R: rand::Rng + ?Sized>(
        &mut self, _: &mut R, position: &[f64], _: &[f64], chain: u64,
    ) -> Result<Flow, FlowError> {
        Ok(Flow::new(position.len(), &self.density.layers(), chain + 1)?)
    }
    fn update_transformation<'a, R: rand::Rng + ?Sized>(
        &'a mut self, rng: &mut R, positions: impl ExactSizeIterator<Item = &'a [f64]>,
        gradients: impl ExactSizeIterator<Item = &'a [f64]>, _: impl ExactSizeIterator<Item = &'a f64>, flow: &'a mut Flow,
    ) -> Result<(), FlowError> {
        let (x, gradients): (Vec<&[f64]>, Vec<&[f64]>) = (positions.collect(), gradients.collect());
        if x.len() < 5 {
            return Ok(());
        }
        Ok(flow.update(self.fit, &x.concat(), &gradients.concat(), self.density.columns(), rng)?)
    }
    fn init_from_untransformed_position(
        &mut self, flow: &Flow, x: &[f64], by_x: &mut [f64], z: &mut [f64], by_z: &mut [f64], clip: Option<f64>,
    ) -> Result<(f64, f64), FlowError> {
        let log_p = self.evaluate(x, by_x, clip)?;
        Self::map(flow, Direction::Forward, x, z)?;
        Ok((log_p, Self::pull_back(flow, z, by_x, by_z)?))
    }
    fn init_from_transformed_position(
        &mut self, flow: &Flow, x: &mut [f64], by_x: &mut [f64], z: &[f64], by_z: &mut [f64], clip: Option<f64>,
    ) -> Result<(f64, f64), FlowError> {
        Self::map(flow, Direction::Inverse, z, x)?;
        let log_p = self.evaluate(x, by_x, clip)?;
        Ok((log_p, Self::pull_back(flow, z, by_x, by_z)?))
    }
    fn inv_transform_normalize(
        &mut self, flow: &Flow, x: &[f64], by_x: &[f64], z: &mut [f64], by_z: &mut [f64],
    ) -> Result<f64, FlowError> {
        Self::map(flow, Direction::Forward, x, z)?;
        Self::pull_back(flow, z, by_x, by_z)
    }
    fn transformation_id(&self, flow: &Flow) -> Result<i64, FlowError> {
        Ok(flow.generation)
    }
}
