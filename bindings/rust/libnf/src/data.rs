//! Tables of files and mini-batches.
use std::io::Read;
use std::path::Path;
use std::ptr::NonNull;

use nf_sys as sys;

use crate::callback::written_text;
use crate::error::{c_path, c_text, check, create, text, Error, Result};
use crate::options::{self, Options};
use crate::runtime::{self, Runtime};
use crate::view::{maybe, View};

/// Rows of numbers of a file: `.npy`, `.npz`, IDX or text, also compressed.
#[derive(Debug)]
pub struct Table {
    raw: NonNull<sys::nf_table>,
    runtime: Option<Runtime>,
}
// SAFETY: no call depends on the thread.
unsafe impl Send for Table {}
// SAFETY: what takes &self is [shared].
unsafe impl Sync for Table {}
impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { sys::nf_table_free(self.raw.as_ptr()) }
    }
}

impl Table {
    /// Reads a file. Options of scope "table".
    pub fn open(path: impl AsRef<Path>, options: Option<&Options>) -> Result<Self> {
        Self::open_with_runtime(None, path, options)
    }
    /// The same in a runtime. Rows of a mapped table are best used with models of its runtime.
    pub fn open_with_runtime(rt: Option<&Runtime>, path: impl AsRef<Path>, options: Option<&Options>) -> Result<Self> {
        let path = c_path(path.as_ref())?;
        // SAFETY: here and below, handles are ours, texts are terminated, and out-parameters are valid.
        let raw = create(sys::nf_table_free, |out, e| unsafe {
            sys::nf_table_open(runtime::raw(rt), path.as_ptr(), options::raw(options), out, e)
        })?;
        Ok(Self { raw, runtime: rt.cloned() })
    }
    /// Reads the content of a file in memory, which messages call `name`.
    pub fn parse(rt: Option<&Runtime>, bytes: &[u8], name: &str, options: Option<&Options>) -> Result<Self> {
        let name = c_text(name)?;
        let (p, n, o) = (bytes.as_ptr().cast(), bytes.len(), options::raw(options));
        let raw = create(sys::nf_table_free, |out, e| unsafe {
            sys::nf_table_parse(runtime::raw(rt), p, n, name.as_ptr(), o, out, e)
        })?;
        Ok(Self { raw, runtime: rt.cloned() })
    }
    /// Reads a reader to its end.
    pub fn read_from(rt: Option<&Runtime>, from: &mut impl Read, name: &str, options: Option<&Options>) -> Result<Self> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).map_err(Error::io)?;
        Self::parse(rt, &bytes, name, options)
    }
    /// What a file holds, as JSON, found out without reading its numbers.
    pub fn describe(path: impl AsRef<Path>, options: Option<&Options>) -> Result<String> {
        Self::describe_raw(path.as_ref(), None, options)
    }
    /// The same for the content of a file in memory.
    pub fn describe_bytes(bytes: &[u8], name: &str, options: Option<&Options>) -> Result<String> {
        Self::describe_raw(Path::new(name), Some(bytes), options)
    }
    fn describe_raw(path: &Path, bytes: Option<&[u8]>, options: Option<&Options>) -> Result<String> {
        let path = c_path(path)?;
        let (p, n) = bytes.map_or((std::ptr::null(), 0), |b| (b.as_ptr().cast(), b.len()));
        written_text(|write, user, e| unsafe {
            sys::nf_table_describe(std::ptr::null_mut(), path.as_ptr(), p, n, options::raw(options), write, user, e)
        })
    }
    /// The whole table, `[rows, columns]`. Of a mapped file it may have strides.
    pub fn view(&self) -> Result<View<'_>> {
        let mut v = sys::nf_view::INIT;
        check(|e| unsafe { sys::nf_table_view(self.raw.as_ptr(), &mut v, e) })?;
        // SAFETY: borrowed from the table, which does not change.
        Ok(unsafe { View::from_raw(v) })
    }
    /// The runtime that it was given.
    pub fn runtime(&self) -> Option<&Runtime> {
        self.runtime.as_ref()
    }
    /// The extents of the array in the file.
    pub fn shape(&self) -> Vec<usize> {
        let mut extents = [0i64; sys::NF_MAX_RANK as usize];
        let rank = unsafe { sys::nf_table_shape(self.raw.as_ptr(), extents.as_mut_ptr()) };
        extents[..rank as usize].iter().map(|&n| n as usize).collect()
    }
    /// The name of a column: "" if the file has no header.
    pub fn column(&self, index: usize) -> Option<&str> {
        unsafe { text(sys::nf_table_column(self.raw.as_ptr(), index as i64)) }
    }
    /// The names of all columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        (0..).map_while(|i| self.column(i))
    }
    /// Which row of the file a row is, from 0.
    pub fn row(&self, index: usize) -> Option<u64> {
        u64::try_from(unsafe { sys::nf_table_row(self.raw.as_ptr(), index as i64) }).ok()
    }
    /// The line of a text file where a row starts, from 1.
    pub fn line(&self, index: usize) -> Option<u64> {
        let line = unsafe { sys::nf_table_line(self.raw.as_ptr(), index as i64) };
        u64::try_from(line).ok().filter(|&l| l > 0)
    }
    /// The text in column "table.id" of a row.
    pub fn row_id(&self, index: usize) -> Option<&str> {
        unsafe { text(sys::nf_table_row_id(self.raw.as_ptr(), index as i64)) }
    }
    /// Whether the rows are used in place.
    pub fn is_mapped(&self) -> bool {
        unsafe { sys::nf_table_is_mapped(self.raw.as_ptr()) != 0 }
    }
}

/// Writes a view as `.npy` or `.csv`, by the extension, with names of the columns for a `.csv`.
pub fn save_table<'v>(v: impl Into<View<'v>>, path: impl AsRef<Path>, columns: Option<&[&str]>) -> Result<()> {
    let (v, path) = (v.into(), c_path(path.as_ref())?);
    let names = columns.unwrap_or_default().iter().map(|c| c_text(c)).collect::<Result<Vec<_>>>()?;
    let expected = v.shape().get(1).map_or(1, |&n| n as usize);
    if columns.is_some() && names.len() != expected {
        return Err(Error::argument(format!("columns has {} names, the table has {expected} columns", names.len())));
    }
    let pointers: Vec<_> = names.iter().map(|n| n.as_ptr()).collect();
    let names = columns.map_or(std::ptr::null(), |_| pointers.as_ptr());
    check(|e| unsafe { sys::nf_table_save(v.raw(), path.as_ptr(), names, e) })
}

/// Rows of data by name. All have as many rows, and a context may have one for all.
///
/// ```
/// # use libnf::{Batch, View};
/// let (x, weight) = (vec![[0.0f32, 1.0]; 8], vec![1.0f32; 8]);
/// let batch = Batch::of(&x).weight(&weight);
/// assert_eq!(batch.x.unwrap().len(), 8);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch<'a> {
    /// `[n, event_size]` or `[n, height, width, channels]`
    pub x: Option<View<'a>>,
    /// `[n or 1, context_size]`
    pub context: Option<View<'a>>,
    /// `[n]`, at least 0
    pub weight: Option<View<'a>>,
    /// As x: gradients of the target's log-density at x, for objective "fisher".
    pub scores: Option<View<'a>>,
    /// `[n]`, for fit: 0 = row to train on, 1 = to validate with, others = neither.
    pub part: Option<View<'a>>,
}
impl<'a> Batch<'a> {
    /// Rows.
    pub fn of(x: impl Into<View<'a>>) -> Self {
        Self { x: Some(x.into()), ..Self::default() }
    }
    /// No rows: for objectives that draw their own.
    pub fn none() -> Self {
        Self::default()
    }
    /// With contexts.
    pub fn context(self, v: impl Into<View<'a>>) -> Self {
        Self { context: Some(v.into()), ..self }
    }
    /// With weights.
    pub fn weight(self, v: impl Into<View<'a>>) -> Self {
        Self { weight: Some(v.into()), ..self }
    }
    /// With scores.
    pub fn scores(self, v: impl Into<View<'a>>) -> Self {
        Self { scores: Some(v.into()), ..self }
    }
    /// With parts.
    pub fn part(self, v: impl Into<View<'a>>) -> Self {
        Self { part: Some(v.into()), ..self }
    }
    /// Borrows self, which must stay where it is.
    pub(crate) fn raw(&self) -> sys::nf_batch {
        let mut b = sys::nf_batch::INIT;
        (b.x, b.ctx, b.weight) = (maybe(&self.x), maybe(&self.context), maybe(&self.weight));
        (b.scores, b.part) = (maybe(&self.scores), maybe(&self.part));
        b
    }
    /// # Safety
    /// The views of raw are valid, and their memory lives for 'a.
    pub(crate) unsafe fn from_raw(raw: &sys::nf_batch) -> Self {
        let of = |v: *const sys::nf_view| (!v.is_null()).then(|| unsafe { View::from_raw(*v) });
        Self { x: of(raw.x), context: of(raw.ctx), weight: of(raw.weight), scores: of(raw.scores), part: of(raw.part) }
    }
}

/// Mini-batches of rows that are borrowed. Batch k is a pure function of the options and k.
#[derive(Debug)]
pub struct Batches<'a> {
    raw: NonNull<sys::nf_batches>,
    _rows: Batch<'a>,
    _runtime: Option<Runtime>,
}
// SAFETY: no call depends on the thread.
unsafe impl Send for Batches<'_> {}
// SAFETY: what takes &self is [shared].
unsafe impl Sync for Batches<'_> {}
impl Drop for Batches<'_> {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { sys::nf_batches_free(self.raw.as_ptr()) }
    }
}
impl<'a> Batches<'a> {
    /// Options of scope "batches".
    pub fn new(rt: Option<&Runtime>, rows: Batch<'a>, options: Option<&Options>) -> Result<Self> {
        let raw = rows.raw();
        // SAFETY: as for Table; the rows live longer than self.
        let raw = create(sys::nf_batches_free, |out, e| unsafe {
            sys::nf_batches_create(runtime::raw(rt), &raw, options::raw(options), out, e)
        })?;
        Ok(Self { raw, _rows: rows, _runtime: rt.cloned() })
    }
    pub(crate) fn raw(&mut self) -> *mut sys::nf_batches {
        self.raw.as_ptr()
    }
    /// How many batches an epoch has.
    pub fn per_epoch(&self) -> u64 {
        unsafe { sys::nf_batches_per_epoch(self.raw.as_ptr()) }
    }
    /// Batch number `step`, borrowed until the next call.
    pub fn get(&mut self, step: u64) -> Result<Batch<'_>> {
        let mut b = sys::nf_batch::INIT;
        check(|e| unsafe { sys::nf_batches_get(self.raw(), step, &mut b, e) })?;
        // SAFETY: valid until the next call, which needs &mut self.
        Ok(unsafe { Batch::from_raw(&b) })
    }
    /// Which row of the data a row of the last batch is.
    pub fn row(&self, index: usize) -> Option<u64> {
        u64::try_from(unsafe { sys::nf_batches_row(self.raw.as_ptr(), index as i64) }).ok()
    }
}
