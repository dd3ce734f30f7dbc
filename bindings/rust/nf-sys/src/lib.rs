//! Declarations of the whole C ABI of [libnf](https://github.com/libnf/libnf): `nf.h`, `nf_infer.h` and `nf_data.h`. The
//! crate `libnf` is a safe layer over them.
//!
//! The texts are those of the headers; rules R1 to R10 at the top of `nf.h` hold for every function. Structs have a constant
//! `INIT`, which is `NF_X_INIT` of the header.
//!
//! How it finds the library: `NF_LIB_DIR` names a folder with `libnf.so` or `libnf.a` (`NF_LINK=static`); feature `system`
//! asks pkg-config; by default it builds the C++ sources, which needs Meson, Ninja and a C++20 compiler.
#![no_std]
#![warn(missing_docs)]

#[rustfmt::skip]
#[allow(non_camel_case_types, missing_docs, clippy::all)]
mod bindings;
pub use bindings::*;

/// Length of a NUL-terminated text, where a function takes text and its length.
pub const NF_TEXT: usize = usize::MAX;

/// A struct whose fields are 0 but for its size and those that are named.
macro_rules! init {
    ($($name:ident { $($field:ident: $value:expr),* })*) => {$(
        impl $name {
            /// The initial value that the header defines.
            pub const INIT: Self = {
                // SAFETY: integers, floats, raw pointers and optional functions may all be 0.
                let mut s: Self = unsafe { core::mem::zeroed() };
                s.struct_size = core::mem::size_of::<Self>() as u32;
                $(s.$field = $value;)*
                s
            };
        }
    )*};
}

init! {
    nf_error { layer: -1, row: -1 }
    nf_allocator {}
    nf_executor {}
    nf_view { dtype: NF_F32 as nf_dtype }
    nf_out { dtype: NF_F32 as nf_dtype }
    nf_batch {}
    nf_model_info {}
    nf_layer_info {}
    nf_tensor_info {}
    nf_fit_info {}
    nf_sampling {}
    nf_step_info {}
    nf_collective {}
    nf_cotangents { direction: NF_FORWARD as nf_direction }
    nf_source {}
    nf_target_info {}
    nf_score_info {}
    nf_importance_info {}
    nf_coverage_info {}
    nf_metropolis_info {}
}
