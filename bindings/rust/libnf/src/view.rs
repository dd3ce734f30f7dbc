//! Views: memory of the caller that one call reads or writes, with a shape and strides.
use std::fmt;
use std::marker::PhantomData;

use nf_sys as sys;

use crate::error::{Error, Result};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for u8 {}
}

/// Numbers that libnf reads: `f32`, `f64`, and for rows of data and contexts `u8`.
pub trait Input: sealed::Sealed + Copy + 'static {
    #[doc(hidden)]
    const DTYPE: sys::nf_dtype;
}
impl Input for f32 {
    const DTYPE: sys::nf_dtype = sys::NF_F32 as sys::nf_dtype;
}
impl Input for f64 {
    const DTYPE: sys::nf_dtype = sys::NF_F64 as sys::nf_dtype;
}
impl Input for u8 {
    const DTYPE: sys::nf_dtype = sys::NF_U8 as sys::nf_dtype;
}
/// Numbers that libnf writes: `f32` and `f64`, whatever the model computes in.
pub trait Float: Input + Default + Into<f64> + fmt::Debug + Send + Sync {}
impl Float for f32 {}
impl Float for f64 {}

/// The type of the numbers of a model or a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dtype {
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
    /// Bytes.
    U8,
}
impl Dtype {
    pub(crate) fn from_raw(d: sys::nf_dtype) -> Self {
        match d as u32 {
            sys::NF_F64 => Dtype::F64,
            sys::NF_U8 => Dtype::U8,
            _ => Dtype::F32,
        }
    }
}

const MAX_RANK: usize = sys::NF_MAX_RANK as usize;

/// The product of the extents, which `len` numbers must be.
fn dense(what: &str, len: usize, shape: &[usize]) -> Result<()> {
    rank(what, shape)?;
    match shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s)) {
        Some(n) if n == len => Ok(()),
        _ => Err(Error::shape(format!("{what}: {len} numbers do not have the shape {shape:?}"))),
    }
}
fn rank(what: &str, shape: &[usize]) -> Result<()> {
    if shape.len() > MAX_RANK {
        return Err(Error::shape(format!("{what} has rank {}, at most {MAX_RANK} is possible", shape.len())));
    }
    if shape.iter().any(|&s| i64::try_from(s).is_err()) {
        return Err(Error::shape(format!("{what}: the shape {shape:?} is too large")));
    }
    Ok(())
}
/// Checks that every element lies in the slice. With `distinct`, also that no two elements share memory.
fn strided(what: &str, len: usize, offset: usize, shape: &[usize], strides: &[isize], distinct: bool) -> Result<()> {
    rank(what, shape)?;
    if shape.len() != strides.len() {
        return Err(Error::shape(format!("{what}: {} extents and {} strides", shape.len(), strides.len())));
    }
    if shape.contains(&0) {
        return Ok(());
    }
    let (mut low, mut high) = (offset as i128, offset as i128);
    for (&extent, &stride) in shape.iter().zip(strides) {
        let reach = (extent as i128 - 1) * stride as i128;
        low += reach.min(0);
        high += reach.max(0);
    }
    if low < 0 || high >= len as i128 {
        return Err(Error::shape(format!(
            "{what}: shape {shape:?} with strides {strides:?} from {offset} reaches elements {low} to {high} of {len}"
        )));
    }
    if distinct {
        let mut dims: Vec<(u128, u128)> = shape
            .iter()
            .zip(strides)
            .filter(|(&n, _)| n > 1)
            .map(|(&n, &s)| (s.unsigned_abs() as u128, n as u128))
            .collect();
        dims.sort_unstable();
        let mut reach = 0;
        for (stride, extent) in dims {
            if stride <= reach {
                return Err(Error::shape(format!(
                    "{what}: shape {shape:?} with strides {strides:?} writes an element twice"
                )));
            }
            reach += stride * (extent - 1);
        }
    }
    Ok(())
}

macro_rules! view {
    ($name:ident, $raw:ident, $pointer:ident) => {
        impl<'a> $name<'a> {
            fn make(dtype: sys::nf_dtype, data: $pointer!(std::ffi::c_void), shape: &[usize]) -> Self {
                let mut raw = sys::$raw::INIT;
                raw.dtype = dtype;
                raw.ndim = shape.len() as i32;
                raw.data = data;
                for (to, &from) in raw.shape.iter_mut().zip(shape) {
                    *to = from as i64;
                }
                Self { raw, lives: PhantomData }
            }
            fn with_strides(mut self, strides: &[isize]) -> Self {
                self.raw.flags = sys::NF_STRIDED as i32;
                for (to, &from) in self.raw.strides.iter_mut().zip(strides) {
                    *to = from as i64;
                }
                self
            }
            /// The extents, outermost first.
            pub fn shape(&self) -> &[i64] {
                &self.raw.shape[..self.raw.ndim as usize]
            }
            /// The number of rows: the first extent, 1 of a view of rank 0.
            pub fn len(&self) -> usize {
                self.shape().first().map_or(1, |&n| n as usize)
            }
            /// Whether there are no rows.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
            /// The type of the numbers.
            pub fn dtype(&self) -> Dtype {
                Dtype::from_raw(self.raw.dtype)
            }
        }
        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?} {:?})"), self.dtype(), self.shape())
            }
        }
    };
}
macro_rules! const_pointer { ($t:ty) => { *const $t } }
macro_rules! mut_pointer { ($t:ty) => { *mut $t } }

/// Numbers to read. Slices are vectors `[n]`; slices of arrays are rows `[n, N]`; [`View::rows`], [`View::new`] and
/// [`View::strided`] give slices another shape.
///
/// ```
/// # use libnf::View;
/// let rows = vec![[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]];
/// assert_eq!(View::from(&rows).shape(), [3, 2]);
/// assert_eq!(View::rows(&[1.0f64; 12], 4)?.shape(), [3, 4]);
/// # Ok::<(), libnf::Error>(())
/// ```
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct View<'a> {
    raw: sys::nf_view,
    lives: PhantomData<&'a [u8]>,
}
// SAFETY: it is a shared borrow of plain numbers.
unsafe impl Send for View<'_> {}
// SAFETY: as above.
unsafe impl Sync for View<'_> {}
view!(View, nf_view, const_pointer);

impl<'a> View<'a> {
    /// Row-major numbers of any shape.
    pub fn new<T: Input>(data: &'a [T], shape: &[usize]) -> Result<Self> {
        dense("view", data.len(), shape)?;
        Ok(Self::make(T::DTYPE, data.as_ptr().cast(), shape))
    }
    /// Rows of that many columns.
    pub fn rows<T: Input>(data: &'a [T], columns: usize) -> Result<Self> {
        Self::new(data, &[data.len().checked_div(columns).unwrap_or(0), columns])
    }
    /// Numbers at `offset + i stride_0 + j stride_1 + ...` of the slice, in elements. Strides may be 0 or negative.
    pub fn strided<T: Input>(data: &'a [T], offset: usize, shape: &[usize], strides: &[isize]) -> Result<Self> {
        strided("view", data.len(), offset, shape, strides, false)?;
        Ok(Self::make(T::DTYPE, data.as_ptr().wrapping_add(offset).cast(), shape).with_strides(strides))
    }
    #[inline]
    pub(crate) fn raw(&self) -> *const sys::nf_view {
        &self.raw
    }
    /// # Safety
    /// The memory lives for 'a and is not written to.
    pub(crate) unsafe fn from_raw(raw: sys::nf_view) -> Self {
        Self { raw, lives: PhantomData }
    }
    #[cfg(feature = "ndarray")]
    /// # Safety
    /// The elements that shape and strides reach from `data` live for 'a.
    pub(crate) unsafe fn from_parts<T: Input>(data: *const T, shape: &[usize], strides: &[isize]) -> Result<Self> {
        rank("view", shape)?;
        Ok(Self::make(T::DTYPE, data.cast(), shape).with_strides(strides))
    }
    /// The numbers one by one in row-major order, as `f64`: for tests and small views.
    pub fn to_vec(&self) -> Vec<f64> {
        let shape = self.shape();
        let n: i64 = shape.iter().product();
        let strides: Vec<i64> = if self.raw.flags & sys::NF_STRIDED as i32 != 0 {
            self.raw.strides[..shape.len()].to_vec()
        } else {
            (0..shape.len()).map(|k| shape[k + 1..].iter().product()).collect()
        };
        (0..n)
            .map(|mut i| {
                let mut at = 0isize;
                for (&extent, &stride) in shape.iter().zip(&strides).rev() {
                    at += (i % extent * stride) as isize;
                    i /= extent;
                }
                // SAFETY: the view reaches this element. It may have any alignment.
                unsafe {
                    match self.dtype() {
                        Dtype::F32 => f64::from(self.raw.data.cast::<f32>().offset(at).read_unaligned()),
                        Dtype::F64 => self.raw.data.cast::<f64>().offset(at).read_unaligned(),
                        Dtype::U8 => f64::from(*self.raw.data.cast::<u8>().offset(at)),
                    }
                }
            })
            .collect()
    }
}

/// Memory to write, as [`View`] is memory to read.
#[repr(transparent)]
pub struct Out<'a> {
    raw: sys::nf_out,
    lives: PhantomData<&'a mut [u8]>,
}
// SAFETY: it is an exclusive borrow of plain numbers.
unsafe impl Send for Out<'_> {}
// SAFETY: a shared reference to it cannot write.
unsafe impl Sync for Out<'_> {}
view!(Out, nf_out, mut_pointer);

impl<'a> Out<'a> {
    /// Row-major memory of any shape.
    pub fn new<T: Float>(data: &'a mut [T], shape: &[usize]) -> Result<Self> {
        dense("out", data.len(), shape)?;
        Ok(Self::make(T::DTYPE, data.as_mut_ptr().cast(), shape))
    }
    /// Rows of that many columns.
    pub fn rows<T: Float>(data: &'a mut [T], columns: usize) -> Result<Self> {
        let n = data.len().checked_div(columns).unwrap_or(0);
        Self::new(data, &[n, columns])
    }
    /// Elements at `offset + i stride_0 + j stride_1 + ...` of the slice, no two of which may be the same.
    pub fn strided<T: Float>(data: &'a mut [T], offset: usize, shape: &[usize], strides: &[isize]) -> Result<Self> {
        strided("out", data.len(), offset, shape, strides, true)?;
        Ok(Self::make(T::DTYPE, data.as_mut_ptr().wrapping_add(offset).cast(), shape).with_strides(strides))
    }
    #[inline]
    pub(crate) fn raw(&self) -> *const sys::nf_out {
        &self.raw
    }
    #[cfg(feature = "ndarray")]
    /// # Safety
    /// The elements that shape and strides reach from `data` live for 'a, and no two of them share memory.
    pub(crate) unsafe fn from_parts<T: Float>(data: *mut T, shape: &[usize], strides: &[isize]) -> Result<Self> {
        rank("out", shape)?;
        Ok(Self::make(T::DTYPE, data.cast(), shape).with_strides(strides))
    }
}

macro_rules! borrow {
    ($($from:ty, [$($n:ident)?], |$v:ident| $in:expr, $shape:expr;)*) => {$(
        impl<'a, T: Input $(, const $n: usize)?> From<&'a $from> for View<'a> {
            fn from($v: &'a $from) -> Self {
                Self::make(T::DTYPE, $in.as_ptr().cast(), &$shape)
            }
        }
        impl<'a, T: Float $(, const $n: usize)?> From<&'a mut $from> for Out<'a> {
            fn from($v: &'a mut $from) -> Self {
                Self::make(T::DTYPE, $in.as_mut_ptr().cast(), &$shape)
            }
        }
    )*};
}
borrow! {
    [T], [], |v| v, [v.len()];
    Vec<T>, [], |v| v, [v.len()];
    [T; N], [N], |v| v, [N];
    [[T; N]], [N], |v| v, [v.len(), N];
    Vec<[T; N]>, [N], |v| v, [v.len(), N];
}
impl<'a, T: Input, const N: usize, const M: usize> From<&'a [[T; N]; M]> for View<'a> {
    fn from(v: &'a [[T; N]; M]) -> Self {
        Self::from(v.as_slice())
    }
}
impl<'a, T: Float, const N: usize, const M: usize> From<&'a mut [[T; N]; M]> for Out<'a> {
    fn from(v: &'a mut [[T; N]; M]) -> Self {
        Self::from(v.as_mut_slice())
    }
}
impl<'a> From<&View<'a>> for View<'a> {
    fn from(v: &View<'a>) -> Self {
        *v
    }
}

/// The pointer to a view that may be missing.
#[inline]
pub(crate) fn maybe(v: &Option<View<'_>>) -> *const sys::nf_view {
    v.as_ref().map_or(std::ptr::null(), View::raw)
}
#[inline]
pub(crate) fn maybe_out(v: &Option<Out<'_>>) -> *const sys::nf_out {
    v.as_ref().map_or(std::ptr::null(), Out::raw)
}

/// A vector of zeros to be written. Too many numbers for the memory are an error.
pub(crate) fn zeros<T: Float>(shape: &[usize]) -> Result<Vec<T>> {
    let n = shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s));
    let mut v = Vec::new();
    match n {
        Some(n) if v.try_reserve_exact(n).is_ok() => v.resize(n, T::default()),
        _ => {
            let what = format!("no memory for a result of shape {shape:?}");
            return Err(Error::new(sys::NF_ERR_NOMEM as i32, crate::error::Detail { message: what, ..Default::default() }));
        }
    }
    Ok(v)
}
