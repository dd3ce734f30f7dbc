//! Models: a spec and parameters.
use std::io::{Read, Write};
use std::path::Path;
use std::ptr::NonNull;

use nf_sys as sys;

use crate::callback::{written, written_text};
use crate::error::{c_path, c_text, check, create, text, Error, Result};
use crate::options::{self, Options};
use crate::runtime::{self, Runtime};
use crate::session::Session;
use crate::view::{maybe, zeros, Dtype, Float, Out, View};

/// A spec and parameters. Shared references may be used by several threads at once: scoring, saving and cloning need no
/// more. What changes parameters takes `&mut`, so it waits until no [`Session`] uses the model.
///
/// ```compile_fail,E0502
/// # use libnf::{Model, View};
/// let mut model = Model::new(r#"{"event": 2, "layers": [{"type": "reverse"}]}"#, 1)?;
/// let mut session = model.session(None)?;
/// model.init_from_data(&[[0.0f32, 1.0]; 8], None)?; // changes the model while a session uses it
/// session.log_prob::<f32>(&[[0.0f32, 1.0]], None)?;
/// # Ok::<(), libnf::Error>(())
/// ```
/// ```compile_fail,E0505
/// # use libnf::Model;
/// let model = Model::new(r#"{"event": 2, "layers": [{"type": "reverse"}]}"#, 1)?;
/// let mut session = model.session(None)?;
/// drop(model); // a session does not outlive its model
/// session.log_prob::<f32>(&[[0.0f32, 1.0]], None)?;
/// # Ok::<(), libnf::Error>(())
/// ```
#[derive(Debug)]
pub struct Model {
    raw: NonNull<sys::nf_model>,
    runtime: Option<Runtime>,
}
// SAFETY: no call depends on the thread.
unsafe impl Send for Model {}
// SAFETY: what takes &self is [shared].
unsafe impl Sync for Model {}
impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: owned; the runtime's hooks live until the field is dropped.
        unsafe { sys::nf_model_free(self.raw.as_ptr()) }
    }
}

/// What log_prob of a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogProbKind {
    /// The log-density.
    Exact,
    /// A lower bound in expectation.
    Bound,
}

/// Sizes and kind of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The type of parameters and arithmetic.
    pub dtype: Dtype,
    /// Columns of x.
    pub event_size: usize,
    /// Columns of z.
    pub latent_size: usize,
    /// Columns of the context, 0 if there is none.
    pub context_size: usize,
    /// Trainable numbers.
    pub param_count: usize,
    /// Named tensors, including buffers.
    pub tensor_count: usize,
    /// Layers after nesting and repeats are expanded.
    pub layer_count: usize,
    /// What log_prob is.
    pub log_prob: LogProbKind,
    /// Whether the model is a chain of layers, with forward, inverse and trace.
    pub has_layers: bool,
    /// The shape of x: `[n]` or `[height, width, channels]`.
    pub event: Vec<usize>,
    /// The shape of z.
    pub latent: Vec<usize>,
}

impl Default for ModelInfo {
    fn default() -> Self {
        Self {
            dtype: Dtype::F32,
            event_size: 0,
            latent_size: 0,
            context_size: 0,
            param_count: 0,
            tensor_count: 0,
            layer_count: 0,
            log_prob: LogProbKind::Exact,
            has_layers: false,
            event: Vec::new(),
            latent: Vec::new(),
        }
    }
}

/// One layer of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerInfo {
    /// Whether "invert" in the spec swapped its directions.
    pub inverted: bool,
    /// Which copy of the entry at `path`, from 0.
    pub repetition: usize,
    /// It acts on the first so many columns.
    pub columns: usize,
    /// Its tensors.
    pub tensors: std::ops::Range<usize>,
    /// `affine_coupling`.
    pub kind: String,
    /// `spec.layers[0].layers[1]`.
    pub path: String,
    /// What the names of its tensors start with: `layers.3`.
    pub name: String,
    /// For messages.
    pub place: String,
}

/// One named tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorInfo {
    /// `layers.0.net.hidden.0.weight`.
    pub name: String,
    /// The type of its numbers.
    pub dtype: Dtype,
    /// Its extents.
    pub shape: Vec<usize>,
    /// Whether training changes it; buffers are not trainable.
    pub trainable: bool,
    /// Whether some entries are fixed at 0.
    pub masked: bool,
}

fn extents(from: &[i64], rank: i32) -> Vec<usize> {
    from[..rank as usize].iter().map(|&n| n as usize).collect()
}

impl Model {
    /// Builds a model from a JSON spec, with initial parameters from `seed`, and a runtime of its own.
    pub fn new(spec: &str, seed: u64) -> Result<Self> {
        Self::with_runtime(None, spec, seed)
    }
    /// The same in a runtime.
    pub fn with_runtime(rt: Option<&Runtime>, spec: &str, seed: u64) -> Result<Self> {
        // SAFETY: here and below, handles are ours, texts have their length or end in NUL, and out-parameters are valid.
        let made = create(sys::nf_model_free, |out, e| unsafe {
            sys::nf_model_create(runtime::raw(rt), spec.as_ptr().cast(), spec.len(), seed, out, e)
        });
        made.map(|raw| Self::own(raw, rt.cloned()))
    }
    /// Builds a model from a [`Spec`](crate::spec::Spec) or any other value that serializes to a spec.
    #[cfg(feature = "spec")]
    pub fn from_spec(spec: &impl serde::Serialize, seed: u64) -> Result<Self> {
        let text = serde_json::to_string(spec).map_err(|e| Error::argument(format!("the spec does not serialize: {e}")))?;
        Self::new(&text, seed)
    }
    /// Reads a model or a checkpoint. Options of scope "load".
    pub fn load(path: impl AsRef<Path>, options: Option<&Options>) -> Result<Self> {
        Self::load_with_runtime(None, path, options)
    }
    /// The same in a runtime.
    pub fn load_with_runtime(rt: Option<&Runtime>, path: impl AsRef<Path>, options: Option<&Options>) -> Result<Self> {
        let path = c_path(path.as_ref())?;
        let made = create(sys::nf_model_free, |out, e| unsafe {
            sys::nf_model_load(runtime::raw(rt), path.as_ptr(), options::raw(options), out, e)
        });
        made.map(|raw| Self::own(raw, rt.cloned()))
    }
    /// Reads a model from the bytes of a file.
    pub fn from_bytes(rt: Option<&Runtime>, bytes: &[u8], options: Option<&Options>) -> Result<Self> {
        let made = create(sys::nf_model_free, |out, e| unsafe {
            sys::nf_model_load_memory(runtime::raw(rt), bytes.as_ptr().cast(), bytes.len(), options::raw(options), out, e)
        });
        made.map(|raw| Self::own(raw, rt.cloned()))
    }
    /// Reads a model from a reader, to its end.
    pub fn read_from(rt: Option<&Runtime>, from: &mut impl Read, options: Option<&Options>) -> Result<Self> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).map_err(Error::io)?;
        Self::from_bytes(rt, &bytes, options)
    }
    fn own(raw: NonNull<sys::nf_model>, runtime: Option<Runtime>) -> Self {
        Self { raw, runtime }
    }
    pub(crate) fn raw(&self) -> *mut sys::nf_model {
        self.raw.as_ptr()
    }
    /// The handle, for calls of [`nf_sys`] while the model lives. It must not be freed, and what changes the model needs the
    /// care that `&mut` takes here.
    pub fn as_ptr(&self) -> *mut sys::nf_model {
        self.raw()
    }
    pub(crate) fn runtime(&self) -> Option<&Runtime> {
        self.runtime.as_ref()
    }

    /// Writes the model as safetensors. The file is replaced atomically and durably.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(|e| unsafe { sys::nf_model_save(self.raw(), path.as_ptr(), e) })
    }
    /// Writes the same bytes to a writer. An error of the writer is [`Error::Io`] with that error as its source.
    pub fn write_to(&self, to: &mut impl Write) -> Result<()> {
        written(to, |write, user, e| unsafe { sys::nf_model_save_stream(self.raw(), write, user, e) })
    }
    /// The bytes of its file. Equal models have equal bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes)?;
        Ok(bytes)
    }
    /// From now on, files hold `rows` samples and their log_prob, for option "load.verify".
    pub fn set_self_test(&mut self, rows: usize) -> Result<()> {
        check(|e| unsafe { sys::nf_model_set_self_test(self.raw(), rows as i64, e) })
    }
    /// An independent copy, in `rt` or in the same runtime.
    pub fn try_clone(&self, rt: Option<&Runtime>) -> Result<Self> {
        let raw = create(sys::nf_model_free, |out, e| unsafe { sys::nf_model_clone(self.raw(), runtime::raw(rt), out, e) })?;
        Ok(Self::own(raw, rt.or(self.runtime()).cloned()))
    }
    /// Copies parameters, buffers and notes of a model with the same spec.
    pub fn copy_from(&mut self, from: &Model) -> Result<()> {
        check(|e| unsafe { sys::nf_model_copy(self.raw(), from.raw(), e) })
    }
    /// Counts the changes of the parameters since the model was created.
    pub fn generation(&self) -> u64 {
        unsafe { sys::nf_model_generation(self.raw()) }
    }
    /// Hash of the bits of all tensors.
    pub fn hash(&self) -> u64 {
        unsafe { sys::nf_model_hash(self.raw()) }
    }
    /// The canonical spec, with every default written out.
    pub fn spec(&self) -> &str {
        unsafe { text(sys::nf_model_spec(self.raw())) }.unwrap_or_default()
    }
    /// What the model is, as JSON.
    pub fn describe(&self) -> Result<String> {
        written_text(|write, user, e| unsafe { sys::nf_model_describe(self.raw(), write, user, e) })
    }
    /// Sizes and kind.
    pub fn info(&self) -> Result<ModelInfo> {
        let mut i = sys::nf_model_info::INIT;
        check(|e| unsafe { sys::nf_model_get_info(self.raw(), &mut i, e) })?;
        Ok(ModelInfo {
            dtype: Dtype::from_raw(i.dtype),
            event_size: i.event_size as usize,
            latent_size: i.latent_size as usize,
            context_size: i.context_size as usize,
            param_count: i.param_count as usize,
            tensor_count: i.tensor_count as usize,
            layer_count: i.layer_count as usize,
            log_prob: if i.log_prob == sys::NF_BOUND as i32 { LogProbKind::Bound } else { LogProbKind::Exact },
            has_layers: i.has_layers != 0,
            event: extents(&i.event, i.event_ndim),
            latent: extents(&i.latent, i.latent_ndim),
        })
    }
    /// Layer `index` in forward order.
    pub fn layer(&self, index: usize) -> Result<LayerInfo> {
        let mut i = sys::nf_layer_info::INIT;
        check(|e| unsafe { sys::nf_model_layer(self.raw(), index as i64, &mut i, e) })?;
        let of = |p| unsafe { text(p) }.unwrap_or_default().to_owned();
        let first = i.first_tensor as usize;
        Ok(LayerInfo {
            inverted: i.inverted != 0,
            repetition: i.repetition as usize,
            columns: i.columns as usize,
            tensors: first..first + i.tensor_count as usize,
            kind: of(i.type_),
            path: of(i.path),
            name: of(i.name),
            place: of(i.where_),
        })
    }
    /// Tensor `index`.
    pub fn tensor(&self, index: usize) -> Result<TensorInfo> {
        let mut i = sys::nf_tensor_info::INIT;
        check(|e| unsafe { sys::nf_model_tensor(self.raw(), index as i64, &mut i, e) })?;
        Ok(TensorInfo {
            name: unsafe { text(i.name) }.unwrap_or_default().to_owned(),
            dtype: Dtype::from_raw(i.dtype),
            shape: extents(&i.shape, i.ndim),
            trainable: i.trainable != 0,
            masked: i.masked != 0,
        })
    }
    /// All tensors.
    pub fn tensors(&self) -> Result<Vec<TensorInfo>> {
        (0..self.info()?.tensor_count).map(|i| self.tensor(i)).collect()
    }
    /// Copies a tensor out of the model.
    pub fn get_tensor<'o>(&self, name: &str, out: impl Into<Out<'o>>) -> Result<()> {
        let (name, out) = (c_text(name)?, out.into());
        check(|e| unsafe { sys::nf_model_get_tensor(self.raw(), name.as_ptr(), out.raw(), e) })
    }
    /// Copies a tensor into the model. Buffers that must stay valid are checked.
    pub fn set_tensor<'v>(&mut self, name: &str, value: impl Into<View<'v>>) -> Result<()> {
        let (name, value) = (c_text(name)?, value.into());
        check(|e| unsafe { sys::nf_model_set_tensor(self.raw(), name.as_ptr(), value.raw(), e) })
    }
    /// Writes 1 where entries of a masked tensor are used and 0 where they are fixed at 0.
    pub fn get_mask<'o>(&self, name: &str, out: impl Into<Out<'o>>) -> Result<()> {
        let (name, out) = (c_text(name)?, out.into());
        check(|e| unsafe { sys::nf_model_get_mask(self.raw(), name.as_ptr(), out.raw(), e) })
    }
    /// Sets the layers that take their initial parameters from data.
    pub fn init_from_data<'v>(&mut self, x: impl Into<View<'v>>, context: Option<View<'_>>) -> Result<()> {
        let x = x.into();
        check(|e| unsafe { sys::nf_model_init_from_data(self.raw(), x.raw(), maybe(&context), e) })
    }

    /// Sets a note, which is saved with the model, or removes it.
    pub fn set_note(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        // SAFETY: &mut self.
        unsafe { set_note(self.raw(), key, value) }
    }
    /// A note.
    pub fn note(&self, key: &str) -> Option<&str> {
        let key = c_text(key).ok()?;
        unsafe { text(sys::nf_model_note(self.raw(), key.as_ptr())) }
    }
    /// The keys of all notes, in alphabetical order.
    pub fn note_keys(&self) -> impl Iterator<Item = &str> {
        (0..).map_while(|i| unsafe { text(sys::nf_model_note_key(self.raw(), i)) })
    }

    /// A session to score, map and sample with. Options of scope "session".
    pub fn session(&self, options: Option<&Options>) -> Result<Session<'_>> {
        Session::new(self, options)
    }
    /// Scores rows with a session for this one call. Keep a session to score again and again.
    pub fn score<'v, T: Float>(&self, x: impl Into<View<'v>>, context: Option<View<'_>>) -> Result<Vec<T>> {
        let x = x.into();
        let mut out = zeros(&[x.len()])?;
        let to = Out::from(&mut out);
        check(|e| unsafe { sys::nf_score(self.raw(), x.raw(), maybe(&context), to.raw(), e) })?;
        Ok(out)
    }
    /// Samples 0 to n - 1 of the stream `seed`, as rows.
    pub fn draw<T: Float>(&self, n: usize, seed: u64, context: Option<View<'_>>) -> Result<Vec<T>> {
        let columns = self.info()?.event_size;
        let mut out = zeros(&[n, columns])?;
        let to = Out::new(&mut out, &[n, columns])?;
        check(|e| unsafe { sys::nf_draw(self.raw(), seed, maybe(&context), to.raw(), e) })?;
        Ok(out)
    }

    /// Keeps quantiles of the scores of the training rows in the model.
    pub fn set_scores<'v>(&mut self, log_prob: impl Into<View<'v>>) -> Result<()> {
        let log_prob = log_prob.into();
        check(|e| unsafe { sys::nf_model_set_scores(self.raw(), log_prob.raw(), e) })
    }
    /// The score below which a fraction p of the training rows is.
    pub fn score_quantile(&self, p: f64) -> Result<f64> {
        let mut score = 0.0;
        check(|e| unsafe { sys::nf_model_score_quantile(self.raw(), p, &mut score, e) })?;
        Ok(score)
    }
    /// For each score the fraction of the training rows with a lower one.
    pub fn score_rank<'v>(&self, log_prob: impl Into<View<'v>>) -> Result<Vec<f64>> {
        let log_prob = log_prob.into();
        let mut rank = zeros(&[log_prob.len()])?;
        let to = Out::from(&mut rank);
        check(|e| unsafe { sys::nf_model_score_rank(self.raw(), log_prob.raw(), to.raw(), e) })?;
        Ok(rank)
    }
}

/// # Safety
/// The model is valid, and nobody else uses it or borrows its notes.
pub(crate) unsafe fn set_note(m: *mut sys::nf_model, key: &str, value: Option<&str>) -> Result<()> {
    let (key, value) = (c_text(key)?, value.map(c_text).transpose()?);
    let value = value.as_ref().map_or(std::ptr::null(), |v| v.as_ptr());
    check(|e| unsafe { sys::nf_model_set_note(m, key.as_ptr(), value, e) })
}
