//! Views of ndarray arrays with their shapes and strides (feature `ndarray`); nothing is copied.
use ndarray::{ArrayBase, Data, DataMut, Dimension};

use crate::error::Result;
use crate::view::{Float, Input, Out, View};

impl<'a> View<'a> {
    /// Of an array or array view of any layout, at most of rank 8.
    ///
    /// ```
    /// # use libnf::View;
    /// let images = ndarray::Array4::<u8>::zeros((10, 1, 28, 28)); // channel first
    /// let last = images.view().permuted_axes([0, 2, 3, 1]);
    /// assert_eq!(View::array(&last)?.shape(), [10, 28, 28, 1]);
    /// # Ok::<(), libnf::Error>(())
    /// ```
    pub fn array<T: Input, S: Data<Elem = T>, D: Dimension>(a: &'a ArrayBase<S, D>) -> Result<Self> {
        // SAFETY: the array's elements live for 'a.
        unsafe { View::from_parts(a.as_ptr(), a.shape(), a.strides()) }
    }
}
impl<'a> Out<'a> {
    /// Of an array or array view of any layout, at most of rank 8.
    pub fn array<T: Float, S: DataMut<Elem = T>, D: Dimension>(a: &'a mut ArrayBase<S, D>) -> Result<Self> {
        let p = a.as_mut_ptr();
        // SAFETY: the array's elements live for 'a, and arrays that can be written have no element twice.
        unsafe { Out::from_parts(p, a.shape(), a.strides()) }
    }
}
