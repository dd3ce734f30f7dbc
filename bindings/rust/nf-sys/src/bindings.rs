// Generated from the headers of libnf: cargo run -p generate > nf-sys/src/bindings.rs

pub const NF_VERSION_MAJOR: i32 = 0;
pub const NF_VERSION_MINOR: i32 = 2;
pub const NF_VERSION_PATCH: i32 = 0;
pub const NF_VERSION: i32 = 200;
/**```text

```*/
pub type nf_status = i32;
pub const NF_OK: nf_status_value = 0;
/**```text
NULL, a bad struct_size, flag, index or name
```*/
pub const NF_ERR_ARGUMENT: nf_status_value = 1;
/**```text
a valid call at the wrong time
```*/
pub const NF_ERR_STATE: nf_status_value = 2;
/**```text
a view's dtype, rank or extents are wrong
```*/
pub const NF_ERR_SHAPE: nf_status_value = 3;
/**```text
the model spec or an option is invalid
```*/
pub const NF_ERR_SPEC: nf_status_value = 4;
/**```text
the allocator returned NULL, or a limit was reached
```*/
pub const NF_ERR_NOMEM: nf_status_value = 10;
/**```text
operating system error; nf_error.os_errno is set
```*/
pub const NF_ERR_IO: nf_status_value = 20;
/**```text
the file is not in the expected format
```*/
pub const NF_ERR_FORMAT: nf_status_value = 21;
/**```text
the file is well formed, but its content changed
```*/
pub const NF_ERR_CHECKSUM: nf_status_value = 22;
/**```text
the file or header is newer than this library
```*/
pub const NF_ERR_VERSION: nf_status_value = 23;
/**```text
NaN or infinity in a loss, gradient or parameter
```*/
pub const NF_ERR_NUMERIC: nf_status_value = 30;
/**```text
a numerical inverse missed its tolerance
```*/
pub const NF_ERR_NOT_INVERTED: nf_status_value = 31;
/**```text
a callback asked to stop
```*/
pub const NF_ERR_CANCELLED: nf_status_value = 40;
/**```text
a callback failed
```*/
pub const NF_ERR_CALLBACK: nf_status_value = 41;
/**```text
not possible in this configuration
```*/
pub const NF_ERR_UNSUPPORTED: nf_status_value = 50;
/**```text
a bug in libnf: please report it
```*/
pub const NF_ERR_INTERNAL: nf_status_value = 60;
pub type nf_status_value = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_error {
    /**```text
in: sizeof(nf_error)
```*/
    pub struct_size: u32,
    /**```text
the same as the returned status
```*/
    pub code: nf_status,
    /**```text
errno for NF_ERR_IO, otherwise 0
```*/
    pub os_errno: i32,
    /**```text
the layer at fault, an index for nf_model_layer; -1 if none
```*/
    pub layer: i32,
    /**```text
the first row at fault of the batch that the call was given; -1 if none
```*/
    pub row: i64,
    /**```text
what is wrong, where, and what would be right
```*/
    pub message: [::core::ffi::c_char; 488usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_error"][::core::mem::size_of::<nf_error>() - 512usize];
    ["Alignment of nf_error"][::core::mem::align_of::<nf_error>() - 8usize];
    [
        "Offset of field: nf_error::struct_size",
    ][::core::mem::offset_of!(nf_error, struct_size) - 0usize];
    [
        "Offset of field: nf_error::code",
    ][::core::mem::offset_of!(nf_error, code) - 4usize];
    [
        "Offset of field: nf_error::os_errno",
    ][::core::mem::offset_of!(nf_error, os_errno) - 8usize];
    [
        "Offset of field: nf_error::layer",
    ][::core::mem::offset_of!(nf_error, layer) - 12usize];
    ["Offset of field: nf_error::row"][::core::mem::offset_of!(nf_error, row) - 16usize];
    [
        "Offset of field: nf_error::message",
    ][::core::mem::offset_of!(nf_error, message) - 24usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_options {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_runtime {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_model {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_session {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_trainer {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_target {
    _unused: [u8; 0],
}
/**```text
Receives text or a file in one or more pieces. Returns 0 on success, otherwise the call fails with NF_ERR_CALLBACK.
```*/
pub type nf_write_fn = ::core::option::Option<
    unsafe extern "C" fn(
        user: *mut ::core::ffi::c_void,
        bytes: *const ::core::ffi::c_void,
        n: usize,
    ) -> i32,
>;
/**```text
Function tables supplied by the host. They are copied; `user` must outlive the runtime and its children.

 What the allocator provides: parameters, optimizer state, scratch memory of sessions and trainers, rows of tables and
 batches, files read into memory. What it does not: handles, specs, names and messages (kilobytes per model), which come
 from malloc, and mapped files. Option "runtime.max_bytes" limits the former, and nf_session_bytes and nf_trainer_bytes
 count only it.
```*/
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_allocator {
    pub struct_size: u32,
    pub user: *mut ::core::ffi::c_void,
    /**```text
size > 0, align a power of two <= 64. Returns NULL when out of memory. Both are called from any thread.
```*/
    pub alloc: ::core::option::Option<
        unsafe extern "C" fn(
            user: *mut ::core::ffi::c_void,
            size: usize,
            align: usize,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub free: ::core::option::Option<
        unsafe extern "C" fn(
            user: *mut ::core::ffi::c_void,
            p: *mut ::core::ffi::c_void,
            size: usize,
            align: usize,
        ),
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_allocator"][::core::mem::size_of::<nf_allocator>() - 32usize];
    ["Alignment of nf_allocator"][::core::mem::align_of::<nf_allocator>() - 8usize];
    [
        "Offset of field: nf_allocator::struct_size",
    ][::core::mem::offset_of!(nf_allocator, struct_size) - 0usize];
    [
        "Offset of field: nf_allocator::user",
    ][::core::mem::offset_of!(nf_allocator, user) - 8usize];
    [
        "Offset of field: nf_allocator::alloc",
    ][::core::mem::offset_of!(nf_allocator, alloc) - 16usize];
    [
        "Offset of field: nf_allocator::free",
    ][::core::mem::offset_of!(nf_allocator, free) - 24usize];
};
/**```text
The host's thread pool. Without one, libnf starts option "runtime.threads" - 1 threads of its own.
```*/
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_executor {
    pub struct_size: u32,
    /**```text
most bodies that run at once; sessions and trainers keep scratch memory for so many
```*/
    pub concurrency: u32,
    pub user: *mut ::core::ffi::c_void,
    /**```text
Runs body(ctx, i) once for every i in [0, n), n <= concurrency, on any threads in any order, and returns after all of
 them have returned. libnf never calls it from inside a body (it is not nested). Sessions that run on several threads
 call it at the same time; a pool that cannot do that may run the bodies on the calling thread.
```*/
    pub parallel_for: ::core::option::Option<
        unsafe extern "C" fn(
            user: *mut ::core::ffi::c_void,
            n: u32,
            body: ::core::option::Option<
                unsafe extern "C" fn(ctx: *mut ::core::ffi::c_void, i: u32),
            >,
            ctx: *mut ::core::ffi::c_void,
        ),
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_executor"][::core::mem::size_of::<nf_executor>() - 24usize];
    ["Alignment of nf_executor"][::core::mem::align_of::<nf_executor>() - 8usize];
    [
        "Offset of field: nf_executor::struct_size",
    ][::core::mem::offset_of!(nf_executor, struct_size) - 0usize];
    [
        "Offset of field: nf_executor::concurrency",
    ][::core::mem::offset_of!(nf_executor, concurrency) - 4usize];
    [
        "Offset of field: nf_executor::user",
    ][::core::mem::offset_of!(nf_executor, user) - 8usize];
    [
        "Offset of field: nf_executor::parallel_for",
    ][::core::mem::offset_of!(nf_executor, parallel_for) - 16usize];
};
/**```text
Receives notes on what the library chose to do; none of them is an error. Level 0, info: SIMD target and threads of
 the runtime, files used in place, a batch size reduced to the number of rows. Level 1, warning: a file that "table.map"
 = "on" could not use in place; a column to train on whose values float32 cannot tell apart, and what to do.
```*/
pub type nf_log_fn = ::core::option::Option<
    unsafe extern "C" fn(
        user: *mut ::core::ffi::c_void,
        level: i32,
        utf8: *const ::core::ffi::c_char,
    ),
>;
/**```text

```*/
pub type nf_dtype = i32;
pub const NF_F32: nf_dtype_value = 1;
pub const NF_F64: nf_dtype_value = 2;
pub const NF_U8: nf_dtype_value = 3;
pub type nf_dtype_value = ::core::ffi::c_uint;
pub const NF_STRIDED: nf_view_flag = 1;
pub type nf_view_flag = ::core::ffi::c_uint;
pub const NF_MAX_RANK: _bindgen_ty_1 = 8;
pub type _bindgen_ty_1 = ::core::ffi::c_uint;
/**```text
Describes memory of the caller, borrowed for one call: nf_view is read, nf_out is written. Either float type and any strides
 are accepted, converted to and from the model's dtype; rows of data x and contexts may also be bytes, NF_U8, and have the
 bits of the same numbers as NF_F32. Outputs must not overlap inputs or each other; unchecked, and results are wrong then.
```*/
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_view {
    pub struct_size: u32,
    /**```text
NF_F32, NF_F64, or NF_U8 for rows of data and contexts
```*/
    pub dtype: nf_dtype,
    /**```text
0..8
```*/
    pub ndim: i32,
    /**```text
0: row-major without gaps; NF_STRIDED: `strides` is used
```*/
    pub flags: i32,
    /**```text
any alignment; may be NULL when there are no elements
```*/
    pub data: *const ::core::ffi::c_void,
    /**```text
ndim extents >= 0, outermost first
```*/
    pub shape: [i64; 8usize],
    /**```text
in elements, may be 0 or negative; read only if NF_STRIDED
```*/
    pub strides: [i64; 8usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_view"][::core::mem::size_of::<nf_view>() - 152usize];
    ["Alignment of nf_view"][::core::mem::align_of::<nf_view>() - 8usize];
    [
        "Offset of field: nf_view::struct_size",
    ][::core::mem::offset_of!(nf_view, struct_size) - 0usize];
    [
        "Offset of field: nf_view::dtype",
    ][::core::mem::offset_of!(nf_view, dtype) - 4usize];
    ["Offset of field: nf_view::ndim"][::core::mem::offset_of!(nf_view, ndim) - 8usize];
    [
        "Offset of field: nf_view::flags",
    ][::core::mem::offset_of!(nf_view, flags) - 12usize];
    ["Offset of field: nf_view::data"][::core::mem::offset_of!(nf_view, data) - 16usize];
    [
        "Offset of field: nf_view::shape",
    ][::core::mem::offset_of!(nf_view, shape) - 24usize];
    [
        "Offset of field: nf_view::strides",
    ][::core::mem::offset_of!(nf_view, strides) - 88usize];
};
/**```text
The same with memory that is written.
```*/
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_out {
    pub struct_size: u32,
    pub dtype: nf_dtype,
    pub ndim: i32,
    pub flags: i32,
    pub data: *mut ::core::ffi::c_void,
    pub shape: [i64; 8usize],
    pub strides: [i64; 8usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_out"][::core::mem::size_of::<nf_out>() - 152usize];
    ["Alignment of nf_out"][::core::mem::align_of::<nf_out>() - 8usize];
    [
        "Offset of field: nf_out::struct_size",
    ][::core::mem::offset_of!(nf_out, struct_size) - 0usize];
    ["Offset of field: nf_out::dtype"][::core::mem::offset_of!(nf_out, dtype) - 4usize];
    ["Offset of field: nf_out::ndim"][::core::mem::offset_of!(nf_out, ndim) - 8usize];
    ["Offset of field: nf_out::flags"][::core::mem::offset_of!(nf_out, flags) - 12usize];
    ["Offset of field: nf_out::data"][::core::mem::offset_of!(nf_out, data) - 16usize];
    ["Offset of field: nf_out::shape"][::core::mem::offset_of!(nf_out, shape) - 24usize];
    [
        "Offset of field: nf_out::strides",
    ][::core::mem::offset_of!(nf_out, strides) - 88usize];
};
/**```text
Rows of data, by name. Streams that a call does not use must be NULL. All have as many rows, and `ctx` may have 1 for
 all. The views are borrowed for one call, or where a function fills the batch in, until the next call on its handle.
```*/
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_batch {
    pub struct_size: u32,
    /**```text
0
```*/
    pub reserved: u32,
    /**```text
[n, event_size] or [n, height, width, channels]
```*/
    pub x: *const nf_view,
    /**```text
[n or 1, context_size]; NULL exactly when the model has no context
```*/
    pub ctx: *const nf_view,
    /**```text
[n], >= 0; NULL: all 1
```*/
    pub weight: *const nf_view,
    /**```text
as x: gradients of the target's log-density at x, for objective "fisher"
```*/
    pub scores: *const nf_view,
    /**```text
[n], for nf_fit: 0 = row to train on, 1 = to validate with, others = neither
```*/
    pub part: *const nf_view,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_batch"][::core::mem::size_of::<nf_batch>() - 48usize];
    ["Alignment of nf_batch"][::core::mem::align_of::<nf_batch>() - 8usize];
    [
        "Offset of field: nf_batch::struct_size",
    ][::core::mem::offset_of!(nf_batch, struct_size) - 0usize];
    [
        "Offset of field: nf_batch::reserved",
    ][::core::mem::offset_of!(nf_batch, reserved) - 4usize];
    ["Offset of field: nf_batch::x"][::core::mem::offset_of!(nf_batch, x) - 8usize];
    ["Offset of field: nf_batch::ctx"][::core::mem::offset_of!(nf_batch, ctx) - 16usize];
    [
        "Offset of field: nf_batch::weight",
    ][::core::mem::offset_of!(nf_batch, weight) - 24usize];
    [
        "Offset of field: nf_batch::scores",
    ][::core::mem::offset_of!(nf_batch, scores) - 32usize];
    [
        "Offset of field: nf_batch::part",
    ][::core::mem::offset_of!(nf_batch, part) - 40usize];
};
pub const NF_EXACT: nf_log_prob_kind = 1;
pub const NF_BOUND: nf_log_prob_kind = 2;
pub type nf_log_prob_kind = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_model_info {
    pub struct_size: u32,
    pub dtype: nf_dtype,
    /**```text
columns of x: the product of the event's shape
```*/
    pub event_size: i64,
    /**```text
columns of z
```*/
    pub latent_size: i64,
    /**```text
columns of the context, 0 = unconditional
```*/
    pub context_size: i64,
    /**```text
trainable numbers
```*/
    pub param_count: i64,
    /**```text
named tensors, including buffers
```*/
    pub tensor_count: i64,
    /**```text
layers after nesting and repeats are expanded
```*/
    pub layer_count: i64,
    /**```text
NF_EXACT or NF_BOUND, see nf_log_prob
```*/
    pub log_prob: i32,
    /**```text
1: a chain with forward, inverse and trace
```*/
    pub has_layers: i32,
    /**```text
1, or 3 for [height, width, channels]
```*/
    pub event_ndim: i32,
    pub latent_ndim: i32,
    pub event: [i64; 8usize],
    pub latent: [i64; 8usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_model_info"][::core::mem::size_of::<nf_model_info>() - 200usize];
    ["Alignment of nf_model_info"][::core::mem::align_of::<nf_model_info>() - 8usize];
    [
        "Offset of field: nf_model_info::struct_size",
    ][::core::mem::offset_of!(nf_model_info, struct_size) - 0usize];
    [
        "Offset of field: nf_model_info::dtype",
    ][::core::mem::offset_of!(nf_model_info, dtype) - 4usize];
    [
        "Offset of field: nf_model_info::event_size",
    ][::core::mem::offset_of!(nf_model_info, event_size) - 8usize];
    [
        "Offset of field: nf_model_info::latent_size",
    ][::core::mem::offset_of!(nf_model_info, latent_size) - 16usize];
    [
        "Offset of field: nf_model_info::context_size",
    ][::core::mem::offset_of!(nf_model_info, context_size) - 24usize];
    [
        "Offset of field: nf_model_info::param_count",
    ][::core::mem::offset_of!(nf_model_info, param_count) - 32usize];
    [
        "Offset of field: nf_model_info::tensor_count",
    ][::core::mem::offset_of!(nf_model_info, tensor_count) - 40usize];
    [
        "Offset of field: nf_model_info::layer_count",
    ][::core::mem::offset_of!(nf_model_info, layer_count) - 48usize];
    [
        "Offset of field: nf_model_info::log_prob",
    ][::core::mem::offset_of!(nf_model_info, log_prob) - 56usize];
    [
        "Offset of field: nf_model_info::has_layers",
    ][::core::mem::offset_of!(nf_model_info, has_layers) - 60usize];
    [
        "Offset of field: nf_model_info::event_ndim",
    ][::core::mem::offset_of!(nf_model_info, event_ndim) - 64usize];
    [
        "Offset of field: nf_model_info::latent_ndim",
    ][::core::mem::offset_of!(nf_model_info, latent_ndim) - 68usize];
    [
        "Offset of field: nf_model_info::event",
    ][::core::mem::offset_of!(nf_model_info, event) - 72usize];
    [
        "Offset of field: nf_model_info::latent",
    ][::core::mem::offset_of!(nf_model_info, latent) - 136usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_layer_info {
    pub struct_size: u32,
    /**```text
1: "invert" in the spec swapped its directions
```*/
    pub inverted: i32,
    /**```text
which copy of the entry at `path`, from 0, counted through all repeats around it
```*/
    pub repetition: i64,
    /**```text
it acts on the first `columns` of a row, fewer than all inside a "split"
```*/
    pub columns: i64,
    /**```text
its tensors are first_tensor .. first_tensor + tensor_count - 1
```*/
    pub first_tensor: i64,
    pub tensor_count: i64,
    /**```text
"affine_coupling"; all four texts are borrowed from the model
```*/
    pub type_: *const ::core::ffi::c_char,
    /**```text
where the spec says so: "spec.layers[0].layers[1]"
```*/
    pub path: *const ::core::ffi::c_char,
    /**```text
what the names of its tensors start with: "layers.3"
```*/
    pub name: *const ::core::ffi::c_char,
    /**```text
for messages: "spec.layers[0].layers[1] (affine_coupling, repetition 3)"
```*/
    pub where_: *const ::core::ffi::c_char,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_layer_info"][::core::mem::size_of::<nf_layer_info>() - 72usize];
    ["Alignment of nf_layer_info"][::core::mem::align_of::<nf_layer_info>() - 8usize];
    [
        "Offset of field: nf_layer_info::struct_size",
    ][::core::mem::offset_of!(nf_layer_info, struct_size) - 0usize];
    [
        "Offset of field: nf_layer_info::inverted",
    ][::core::mem::offset_of!(nf_layer_info, inverted) - 4usize];
    [
        "Offset of field: nf_layer_info::repetition",
    ][::core::mem::offset_of!(nf_layer_info, repetition) - 8usize];
    [
        "Offset of field: nf_layer_info::columns",
    ][::core::mem::offset_of!(nf_layer_info, columns) - 16usize];
    [
        "Offset of field: nf_layer_info::first_tensor",
    ][::core::mem::offset_of!(nf_layer_info, first_tensor) - 24usize];
    [
        "Offset of field: nf_layer_info::tensor_count",
    ][::core::mem::offset_of!(nf_layer_info, tensor_count) - 32usize];
    [
        "Offset of field: nf_layer_info::type_",
    ][::core::mem::offset_of!(nf_layer_info, type_) - 40usize];
    [
        "Offset of field: nf_layer_info::path",
    ][::core::mem::offset_of!(nf_layer_info, path) - 48usize];
    [
        "Offset of field: nf_layer_info::name",
    ][::core::mem::offset_of!(nf_layer_info, name) - 56usize];
    [
        "Offset of field: nf_layer_info::where_",
    ][::core::mem::offset_of!(nf_layer_info, where_) - 64usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_tensor_info {
    pub struct_size: u32,
    pub dtype: nf_dtype,
    pub ndim: i32,
    /**```text
0: a buffer (running statistics, a fixed rotation or permutation)
```*/
    pub trainable: i32,
    /**```text
1: some entries are fixed at 0, see nf_model_get_mask
```*/
    pub masked: i32,
    pub reserved: i32,
    /**```text
"layers.0.net.hidden.0.weight"; borrowed from the model
```*/
    pub name: *const ::core::ffi::c_char,
    pub shape: [i64; 8usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_tensor_info"][::core::mem::size_of::<nf_tensor_info>() - 96usize];
    ["Alignment of nf_tensor_info"][::core::mem::align_of::<nf_tensor_info>() - 8usize];
    [
        "Offset of field: nf_tensor_info::struct_size",
    ][::core::mem::offset_of!(nf_tensor_info, struct_size) - 0usize];
    [
        "Offset of field: nf_tensor_info::dtype",
    ][::core::mem::offset_of!(nf_tensor_info, dtype) - 4usize];
    [
        "Offset of field: nf_tensor_info::ndim",
    ][::core::mem::offset_of!(nf_tensor_info, ndim) - 8usize];
    [
        "Offset of field: nf_tensor_info::trainable",
    ][::core::mem::offset_of!(nf_tensor_info, trainable) - 12usize];
    [
        "Offset of field: nf_tensor_info::masked",
    ][::core::mem::offset_of!(nf_tensor_info, masked) - 16usize];
    [
        "Offset of field: nf_tensor_info::reserved",
    ][::core::mem::offset_of!(nf_tensor_info, reserved) - 20usize];
    [
        "Offset of field: nf_tensor_info::name",
    ][::core::mem::offset_of!(nf_tensor_info, name) - 24usize];
    [
        "Offset of field: nf_tensor_info::shape",
    ][::core::mem::offset_of!(nf_tensor_info, shape) - 32usize];
};
/**```text
all steps were taken
```*/
pub const NF_STOP_FINISHED: nf_fit_stop = 1;
/**```text
the validation score has not improved for "fit.patience" validations
```*/
pub const NF_STOP_PATIENCE: nf_fit_stop = 2;
/**```text
the callback asked for it
```*/
pub const NF_STOP_REQUESTED: nf_fit_stop = 3;
/**```text

```*/
pub type nf_fit_stop = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_fit_info {
    pub struct_size: u32,
    /**```text
in a callback, 1: `valid` is new, 0: only a step was taken
```*/
    pub validated: i32,
    /**```text
1: the last validation was the best so far
```*/
    pub improved: i32,
    /**```text
an nf_fit_stop; 0 while the run goes on
```*/
    pub stop: i32,
    /**```text
steps applied so far, and in all
```*/
    pub step: u64,
    /**```text
steps applied so far, and in all
```*/
    pub planned: u64,
    /**```text
step of the best validation, 0 if none had a row with a density so far
```*/
    pub best_step: u64,
    pub steps_per_epoch: u64,
    pub train_rows: i64,
    pub valid_rows: i64,
    /**```text
of the last step, in nats; see nf_step_info
```*/
    pub loss: f64,
    /**```text
mean of -loss over the steps since the last validation
```*/
    pub train: f64,
    /**```text
weighted mean log_prob of the validation rows; -infinity if a row has none
```*/
    pub valid: f64,
    /**```text
its standard error; 0 at -infinity
```*/
    pub valid_error: f64,
    /**```text
`valid` of the best validation so far, NaN before best_step
```*/
    pub best: f64,
    /**```text
of the last step
```*/
    pub lr: f64,
    /**```text
of the last step
```*/
    pub grad_norm: f64,
    /**```text
wall time of the run so far
```*/
    pub seconds: f64,
    /**```text
validation rows without a finite log_prob: how many, and the first or -1
```*/
    pub bad_rows: i64,
    /**```text
validation rows without a finite log_prob: how many, and the first or -1
```*/
    pub bad_row: i64,
    /**```text
weighted mean log_prob of the other validation rows
```*/
    pub valid_rest: f64,
    /**```text
of the last step
```*/
    pub batch_rows: i64,
    /**```text
too few for "batch_norm" at the end of an epoch: they join the batch before
```*/
    pub merged_rows: i64,
    /**```text
steps between validations
```*/
    pub valid_every: u64,
    /**```text
last step at which "trainer.guard" found the run diverged, or 0
```*/
    pub diverged_at: u64,
    /**```text
how often the guard went back to the best state
```*/
    pub went_back: i32,
    /**```text
in a callback, 1: the checkpoint follows
```*/
    pub point: i32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_fit_info"][::core::mem::size_of::<nf_fit_info>() - 192usize];
    ["Alignment of nf_fit_info"][::core::mem::align_of::<nf_fit_info>() - 8usize];
    [
        "Offset of field: nf_fit_info::struct_size",
    ][::core::mem::offset_of!(nf_fit_info, struct_size) - 0usize];
    [
        "Offset of field: nf_fit_info::validated",
    ][::core::mem::offset_of!(nf_fit_info, validated) - 4usize];
    [
        "Offset of field: nf_fit_info::improved",
    ][::core::mem::offset_of!(nf_fit_info, improved) - 8usize];
    [
        "Offset of field: nf_fit_info::stop",
    ][::core::mem::offset_of!(nf_fit_info, stop) - 12usize];
    [
        "Offset of field: nf_fit_info::step",
    ][::core::mem::offset_of!(nf_fit_info, step) - 16usize];
    [
        "Offset of field: nf_fit_info::planned",
    ][::core::mem::offset_of!(nf_fit_info, planned) - 24usize];
    [
        "Offset of field: nf_fit_info::best_step",
    ][::core::mem::offset_of!(nf_fit_info, best_step) - 32usize];
    [
        "Offset of field: nf_fit_info::steps_per_epoch",
    ][::core::mem::offset_of!(nf_fit_info, steps_per_epoch) - 40usize];
    [
        "Offset of field: nf_fit_info::train_rows",
    ][::core::mem::offset_of!(nf_fit_info, train_rows) - 48usize];
    [
        "Offset of field: nf_fit_info::valid_rows",
    ][::core::mem::offset_of!(nf_fit_info, valid_rows) - 56usize];
    [
        "Offset of field: nf_fit_info::loss",
    ][::core::mem::offset_of!(nf_fit_info, loss) - 64usize];
    [
        "Offset of field: nf_fit_info::train",
    ][::core::mem::offset_of!(nf_fit_info, train) - 72usize];
    [
        "Offset of field: nf_fit_info::valid",
    ][::core::mem::offset_of!(nf_fit_info, valid) - 80usize];
    [
        "Offset of field: nf_fit_info::valid_error",
    ][::core::mem::offset_of!(nf_fit_info, valid_error) - 88usize];
    [
        "Offset of field: nf_fit_info::best",
    ][::core::mem::offset_of!(nf_fit_info, best) - 96usize];
    [
        "Offset of field: nf_fit_info::lr",
    ][::core::mem::offset_of!(nf_fit_info, lr) - 104usize];
    [
        "Offset of field: nf_fit_info::grad_norm",
    ][::core::mem::offset_of!(nf_fit_info, grad_norm) - 112usize];
    [
        "Offset of field: nf_fit_info::seconds",
    ][::core::mem::offset_of!(nf_fit_info, seconds) - 120usize];
    [
        "Offset of field: nf_fit_info::bad_rows",
    ][::core::mem::offset_of!(nf_fit_info, bad_rows) - 128usize];
    [
        "Offset of field: nf_fit_info::bad_row",
    ][::core::mem::offset_of!(nf_fit_info, bad_row) - 136usize];
    [
        "Offset of field: nf_fit_info::valid_rest",
    ][::core::mem::offset_of!(nf_fit_info, valid_rest) - 144usize];
    [
        "Offset of field: nf_fit_info::batch_rows",
    ][::core::mem::offset_of!(nf_fit_info, batch_rows) - 152usize];
    [
        "Offset of field: nf_fit_info::merged_rows",
    ][::core::mem::offset_of!(nf_fit_info, merged_rows) - 160usize];
    [
        "Offset of field: nf_fit_info::valid_every",
    ][::core::mem::offset_of!(nf_fit_info, valid_every) - 168usize];
    [
        "Offset of field: nf_fit_info::diverged_at",
    ][::core::mem::offset_of!(nf_fit_info, diverged_at) - 176usize];
    [
        "Offset of field: nf_fit_info::went_back",
    ][::core::mem::offset_of!(nf_fit_info, went_back) - 184usize];
    [
        "Offset of field: nf_fit_info::point",
    ][::core::mem::offset_of!(nf_fit_info, point) - 188usize];
};
/**```text
Called after every step, after every validation once more, and with option "fit.announce" once before the first step.
 Nonzero stops the run: not an error, the best weights are kept. Where `point` is 1, the model holds the weights that are
 kept (the averaged ones, with "trainer.ema_decay"); the callback may score, save or clone it and set its notes, which
 are in the checkpoint that follows.
```*/
pub type nf_fit_fn = ::core::option::Option<
    unsafe extern "C" fn(user: *mut ::core::ffi::c_void, info: *const nf_fit_info) -> i32,
>;
pub type nf_direction = i32;
pub const NF_FORWARD: nf_direction_value = 0;
pub const NF_INVERSE: nf_direction_value = 1;
pub type nf_direction_value = ::core::ffi::c_uint;
/**```text
Which samples, for nf_sample. A struct with all fields 0 asks for the first samples of stream 0.
```*/
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_sampling {
    /**```text
reserved: 0
```*/
    pub struct_size: u32,
    /**```text
reserved: 0
```*/
    pub reserved: u32,
    /**```text
the stream
```*/
    pub seed: u64,
    /**```text
samples first_index .. first_index + n - 1 of it
```*/
    pub first_index: u64,
    /**```text
0 or 1: sample i has context row i. m: samples i m .. i m + m - 1 have row i
```*/
    pub repeat: i64,
    /**```text
factor of the base's deviation from its mean (Kingma & Dhariwal 2018); 0 = 1. Bases without
a location and a scale refuse others than 1: NF_ERR_UNSUPPORTED
```*/
    pub temperature: f64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_sampling"][::core::mem::size_of::<nf_sampling>() - 40usize];
    ["Alignment of nf_sampling"][::core::mem::align_of::<nf_sampling>() - 8usize];
    [
        "Offset of field: nf_sampling::struct_size",
    ][::core::mem::offset_of!(nf_sampling, struct_size) - 0usize];
    [
        "Offset of field: nf_sampling::reserved",
    ][::core::mem::offset_of!(nf_sampling, reserved) - 4usize];
    [
        "Offset of field: nf_sampling::seed",
    ][::core::mem::offset_of!(nf_sampling, seed) - 8usize];
    [
        "Offset of field: nf_sampling::first_index",
    ][::core::mem::offset_of!(nf_sampling, first_index) - 16usize];
    [
        "Offset of field: nf_sampling::repeat",
    ][::core::mem::offset_of!(nf_sampling, repeat) - 24usize];
    [
        "Offset of field: nf_sampling::temperature",
    ][::core::mem::offset_of!(nf_sampling, temperature) - 32usize];
};
/**```text

```*/
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_step_info {
    pub struct_size: u32,
    pub reserved: u32,
    /**```text
steps applied so far
```*/
    pub step: u64,
    /**```text
the objective before the step, in nats; for "nll" the weighted mean of -log_prob
```*/
    pub loss: f64,
    /**```text
standard error of `loss` for objectives that draw samples, otherwise 0
```*/
    pub loss_error: f64,
    /**```text
2-norm of the gradient before clipping
```*/
    pub grad_norm: f64,
    /**```text
learning rate of this step
```*/
    pub lr: f64,
    /**```text
wall time of this call
```*/
    pub seconds: f64,
    /**```text
1: at this step "trainer.guard" found that the run has diverged
```*/
    pub diverged: i32,
    /**```text
how often it went back to the best state so far
```*/
    pub went_back: i32,
    /**```text
"trainer.memory" = "invert": largest error of a rebuilt input, relative to its largest number
```*/
    pub drift: f64,
    /**```text
the layer that it is the input of
```*/
    pub drift_layer: i32,
    /**```text
how many layers have drifted too far, and keep their inputs
```*/
    pub kept_inputs: i32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_step_info"][::core::mem::size_of::<nf_step_info>() - 80usize];
    ["Alignment of nf_step_info"][::core::mem::align_of::<nf_step_info>() - 8usize];
    [
        "Offset of field: nf_step_info::struct_size",
    ][::core::mem::offset_of!(nf_step_info, struct_size) - 0usize];
    [
        "Offset of field: nf_step_info::reserved",
    ][::core::mem::offset_of!(nf_step_info, reserved) - 4usize];
    [
        "Offset of field: nf_step_info::step",
    ][::core::mem::offset_of!(nf_step_info, step) - 8usize];
    [
        "Offset of field: nf_step_info::loss",
    ][::core::mem::offset_of!(nf_step_info, loss) - 16usize];
    [
        "Offset of field: nf_step_info::loss_error",
    ][::core::mem::offset_of!(nf_step_info, loss_error) - 24usize];
    [
        "Offset of field: nf_step_info::grad_norm",
    ][::core::mem::offset_of!(nf_step_info, grad_norm) - 32usize];
    [
        "Offset of field: nf_step_info::lr",
    ][::core::mem::offset_of!(nf_step_info, lr) - 40usize];
    [
        "Offset of field: nf_step_info::seconds",
    ][::core::mem::offset_of!(nf_step_info, seconds) - 48usize];
    [
        "Offset of field: nf_step_info::diverged",
    ][::core::mem::offset_of!(nf_step_info, diverged) - 56usize];
    [
        "Offset of field: nf_step_info::went_back",
    ][::core::mem::offset_of!(nf_step_info, went_back) - 60usize];
    [
        "Offset of field: nf_step_info::drift",
    ][::core::mem::offset_of!(nf_step_info, drift) - 64usize];
    [
        "Offset of field: nf_step_info::drift_layer",
    ][::core::mem::offset_of!(nf_step_info, drift_layer) - 72usize];
    [
        "Offset of field: nf_step_info::kept_inputs",
    ][::core::mem::offset_of!(nf_step_info, kept_inputs) - 76usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_collective {
    pub struct_size: u32,
    pub rank: i32,
    pub world: i32,
    pub user: *mut ::core::ffi::c_void,
    /**```text
Sums n numbers of `dtype` over all ranks, in place; calls come in one fixed order. Returns 0 on success.
```*/
    pub allreduce_sum: ::core::option::Option<
        unsafe extern "C" fn(
            user: *mut ::core::ffi::c_void,
            buf: *mut ::core::ffi::c_void,
            n: usize,
            dtype: nf_dtype,
        ) -> i32,
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_collective"][::core::mem::size_of::<nf_collective>() - 32usize];
    ["Alignment of nf_collective"][::core::mem::align_of::<nf_collective>() - 8usize];
    [
        "Offset of field: nf_collective::struct_size",
    ][::core::mem::offset_of!(nf_collective, struct_size) - 0usize];
    [
        "Offset of field: nf_collective::rank",
    ][::core::mem::offset_of!(nf_collective, rank) - 4usize];
    [
        "Offset of field: nf_collective::world",
    ][::core::mem::offset_of!(nf_collective, world) - 8usize];
    [
        "Offset of field: nf_collective::user",
    ][::core::mem::offset_of!(nf_collective, user) - 16usize];
    [
        "Offset of field: nf_collective::allreduce_sum",
    ][::core::mem::offset_of!(nf_collective, allreduce_sum) - 24usize];
};
/**```text
Losses of the host. The host maps rows with a session, computes any loss of the results, and hands in the derivatives of
 that loss; the trainer adds up gradients of the parameters over any number of calls, then takes a step.
   x -> z and log_det (direction NF_FORWARD):  batch.x are data rows, out is dloss/dz,
   z -> x and log_det (direction NF_INVERSE):  batch.x are latents,   out is dloss/dx;
 log_det is dloss/dlog_det [n], and log_prob [n] is dloss/dlog_prob of the data row: of batch.x in NF_FORWARD, of the x that
 NF_INVERSE gives, through all of its dependence on the parameters. Each may be NULL. A cotangent of log_prob alone with
 -weight / sum of weights is exactly "nll". A row whose cotangents are all 0 counts as a row of weight 0: it may hold
 anything.
 Training is not scoring: dropout is on, as in a step, with other draws in every call; "batch_norm" in NF_FORWARD uses the
 statistics of the batch of the call, and updates its running ones; the first call in NF_FORWARD initializes layers with
 data-dependent initialization, so call nf_model_init_from_data before mapping rows with a session.
```*/
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_cotangents {
    pub struct_size: u32,
    pub direction: nf_direction,
    /**```text
as the result
```*/
    pub out: *const nf_view,
    /**```text
[n]
```*/
    pub log_det: *const nf_view,
    /**```text
[n]
```*/
    pub log_prob: *const nf_view,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_cotangents"][::core::mem::size_of::<nf_cotangents>() - 32usize];
    ["Alignment of nf_cotangents"][::core::mem::align_of::<nf_cotangents>() - 8usize];
    [
        "Offset of field: nf_cotangents::struct_size",
    ][::core::mem::offset_of!(nf_cotangents, struct_size) - 0usize];
    [
        "Offset of field: nf_cotangents::direction",
    ][::core::mem::offset_of!(nf_cotangents, direction) - 4usize];
    [
        "Offset of field: nf_cotangents::out",
    ][::core::mem::offset_of!(nf_cotangents, out) - 8usize];
    [
        "Offset of field: nf_cotangents::log_det",
    ][::core::mem::offset_of!(nf_cotangents, log_det) - 16usize];
    [
        "Offset of field: nf_cotangents::log_prob",
    ][::core::mem::offset_of!(nf_cotangents, log_prob) - 24usize];
};
/**```text
Fills in the batch for step number `step`; it arrives empty. Views and data are borrowed until the next call. Returns 1
 for a batch, 0 at the end, < 0 on error (NF_ERR_CALLBACK).
```*/
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_source {
    pub struct_size: u32,
    pub user: *mut ::core::ffi::c_void,
    pub next: ::core::option::Option<
        unsafe extern "C" fn(
            user: *mut ::core::ffi::c_void,
            step: u64,
            batch: *mut nf_batch,
        ) -> i32,
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_source"][::core::mem::size_of::<nf_source>() - 24usize];
    ["Alignment of nf_source"][::core::mem::align_of::<nf_source>() - 8usize];
    [
        "Offset of field: nf_source::struct_size",
    ][::core::mem::offset_of!(nf_source, struct_size) - 0usize];
    [
        "Offset of field: nf_source::user",
    ][::core::mem::offset_of!(nf_source, user) - 8usize];
    [
        "Offset of field: nf_source::next",
    ][::core::mem::offset_of!(nf_source, next) - 16usize];
};
pub type nf_progress_fn = ::core::option::Option<
    unsafe extern "C" fn(
        user: *mut ::core::ffi::c_void,
        info: *const nf_step_info,
    ) -> i32,
>;
/**```text
A target implemented by the host. Given x [n, event_size], fills log_density [n], up to an additive constant, and its
 gradient [n, event_size] unless that is NULL. ctx holds the context rows of x ([n or 1, columns]), or is NULL. All are
 row-major without gaps, in the model's dtype (nf_metropolis: float64), borrowed for the call. Runs only on the thread that
 entered libnf, with no lock held (R7), once for all rows of a step. Returns 0 on success, < 0 if it failed
 (NF_ERR_CALLBACK), > 0 to stop (NF_ERR_CANCELLED). log_density is -infinity where the density is 0; a sample there has
 weight 0 and makes the loss of "reverse_kl" infinite. NaN and +infinity are NF_ERR_NUMERIC.
```*/
pub type nf_target_fn = ::core::option::Option<
    unsafe extern "C" fn(
        user: *mut ::core::ffi::c_void,
        x: *const nf_view,
        ctx: *const nf_view,
        log_density: *const nf_out,
        gradient: *const nf_out,
    ) -> i32,
>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_target_info {
    pub struct_size: u32,
    /**```text
1: built in, 0: a callback
```*/
    pub builtin: i32,
    /**```text
columns of x
```*/
    pub event_size: i64,
    /**```text
log of the integral: NaN if unknown, infinity if it diverges
```*/
    pub log_z: f64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_target_info"][::core::mem::size_of::<nf_target_info>() - 24usize];
    ["Alignment of nf_target_info"][::core::mem::align_of::<nf_target_info>() - 8usize];
    [
        "Offset of field: nf_target_info::struct_size",
    ][::core::mem::offset_of!(nf_target_info, struct_size) - 0usize];
    [
        "Offset of field: nf_target_info::builtin",
    ][::core::mem::offset_of!(nf_target_info, builtin) - 4usize];
    [
        "Offset of field: nf_target_info::event_size",
    ][::core::mem::offset_of!(nf_target_info, event_size) - 8usize];
    [
        "Offset of field: nf_target_info::log_z",
    ][::core::mem::offset_of!(nf_target_info, log_z) - 16usize];
};
/**```text

```*/
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_score_info {
    pub struct_size: u32,
    pub reserved: u32,
    /**```text
that count: of weight above 0
```*/
    pub rows: i64,
    /**```text
of these, rows of density 0, whose log_prob is -infinity
```*/
    pub outside: i64,
    /**```text
the first of them; -1 if there is none
```*/
    pub first_outside: i64,
    /**```text
weighted mean in nats and its standard error; -infinity and 0 with a row outside
```*/
    pub mean: f64,
    /**```text
weighted mean in nats and its standard error; -infinity and 0 with a row outside
```*/
    pub error: f64,
    /**```text
of the rows that have a density; NaN if none has
```*/
    pub inside_mean: f64,
    /**```text
of the rows that have a density; NaN if none has
```*/
    pub inside_error: f64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_score_info"][::core::mem::size_of::<nf_score_info>() - 64usize];
    ["Alignment of nf_score_info"][::core::mem::align_of::<nf_score_info>() - 8usize];
    [
        "Offset of field: nf_score_info::struct_size",
    ][::core::mem::offset_of!(nf_score_info, struct_size) - 0usize];
    [
        "Offset of field: nf_score_info::reserved",
    ][::core::mem::offset_of!(nf_score_info, reserved) - 4usize];
    [
        "Offset of field: nf_score_info::rows",
    ][::core::mem::offset_of!(nf_score_info, rows) - 8usize];
    [
        "Offset of field: nf_score_info::outside",
    ][::core::mem::offset_of!(nf_score_info, outside) - 16usize];
    [
        "Offset of field: nf_score_info::first_outside",
    ][::core::mem::offset_of!(nf_score_info, first_outside) - 24usize];
    [
        "Offset of field: nf_score_info::mean",
    ][::core::mem::offset_of!(nf_score_info, mean) - 32usize];
    [
        "Offset of field: nf_score_info::error",
    ][::core::mem::offset_of!(nf_score_info, error) - 40usize];
    [
        "Offset of field: nf_score_info::inside_mean",
    ][::core::mem::offset_of!(nf_score_info, inside_mean) - 48usize];
    [
        "Offset of field: nf_score_info::inside_error",
    ][::core::mem::offset_of!(nf_score_info, inside_error) - 56usize];
};
/**```text
The weights of samples of the model, w = p/q, say nothing about places where the model has no samples. If it is too narrow
 or misses a mode, ess is high, log_z too small, and log_z_error too small as well. Two numbers warn of that:
   pareto_k  how heavy the tail of the weights is (Vehtari et al. 2024). Above 0.5 their variance is infinite, above 1 their
             mean. Above pareto_k_limit = min(1 - 1/log10(samples), 0.7), log_z, ess and nf_importance_mean have errors of
             unknown size, and smoothing does not help: improve the model. It sees a tail that is sampled now and then, not
             a mode that is never sampled.
   nf_importance_coverage  sees both, if there are rows of the target, such as from Markov chains.
```*/
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_importance_info {
    pub struct_size: u32,
    pub reserved: u32,
    pub samples: i64,
    /**```text
log mean(w) and its standard error, w = p/q
```*/
    pub log_z: f64,
    /**```text
log mean(w) and its standard error, w = p/q
```*/
    pub log_z_error: f64,
    /**```text
effective sample size (sum w)^2 / sum w^2, and its share of samples
```*/
    pub ess: f64,
    /**```text
effective sample size (sum w)^2 / sum w^2, and its share of samples
```*/
    pub ess_fraction: f64,
    /**```text
mean(log q - log p) and its standard error; add log_z for the divergence
```*/
    pub reverse_kl: f64,
    /**```text
mean(log q - log p) and its standard error; add log_z for the divergence
```*/
    pub reverse_kl_error: f64,
    /**```text
largest w / sum w: near 1, none of these numbers can be trusted
```*/
    pub largest_share: f64,
    /**```text
see above. pareto_k is 0 if all weights of the tail are equal, infinity if
fewer than 5 stand out of it, NaN for fewer than 25 samples
```*/
    pub pareto_k: f64,
    /**```text
see above. pareto_k is 0 if all weights of the tail are equal, infinity if
fewer than 5 stand out of it, NaN for fewer than 25 samples
```*/
    pub pareto_k_limit: f64,
    /**```text
with the weights of nf_importance_smooth
```*/
    pub smoothed_log_z: f64,
    /**```text
with the weights of nf_importance_smooth
```*/
    pub smoothed_log_z_error: f64,
    /**```text
with the weights of nf_importance_smooth
```*/
    pub smoothed_ess: f64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of nf_importance_info",
    ][::core::mem::size_of::<nf_importance_info>() - 112usize];
    [
        "Alignment of nf_importance_info",
    ][::core::mem::align_of::<nf_importance_info>() - 8usize];
    [
        "Offset of field: nf_importance_info::struct_size",
    ][::core::mem::offset_of!(nf_importance_info, struct_size) - 0usize];
    [
        "Offset of field: nf_importance_info::reserved",
    ][::core::mem::offset_of!(nf_importance_info, reserved) - 4usize];
    [
        "Offset of field: nf_importance_info::samples",
    ][::core::mem::offset_of!(nf_importance_info, samples) - 8usize];
    [
        "Offset of field: nf_importance_info::log_z",
    ][::core::mem::offset_of!(nf_importance_info, log_z) - 16usize];
    [
        "Offset of field: nf_importance_info::log_z_error",
    ][::core::mem::offset_of!(nf_importance_info, log_z_error) - 24usize];
    [
        "Offset of field: nf_importance_info::ess",
    ][::core::mem::offset_of!(nf_importance_info, ess) - 32usize];
    [
        "Offset of field: nf_importance_info::ess_fraction",
    ][::core::mem::offset_of!(nf_importance_info, ess_fraction) - 40usize];
    [
        "Offset of field: nf_importance_info::reverse_kl",
    ][::core::mem::offset_of!(nf_importance_info, reverse_kl) - 48usize];
    [
        "Offset of field: nf_importance_info::reverse_kl_error",
    ][::core::mem::offset_of!(nf_importance_info, reverse_kl_error) - 56usize];
    [
        "Offset of field: nf_importance_info::largest_share",
    ][::core::mem::offset_of!(nf_importance_info, largest_share) - 64usize];
    [
        "Offset of field: nf_importance_info::pareto_k",
    ][::core::mem::offset_of!(nf_importance_info, pareto_k) - 72usize];
    [
        "Offset of field: nf_importance_info::pareto_k_limit",
    ][::core::mem::offset_of!(nf_importance_info, pareto_k_limit) - 80usize];
    [
        "Offset of field: nf_importance_info::smoothed_log_z",
    ][::core::mem::offset_of!(nf_importance_info, smoothed_log_z) - 88usize];
    [
        "Offset of field: nf_importance_info::smoothed_log_z_error",
    ][::core::mem::offset_of!(nf_importance_info, smoothed_log_z_error) - 96usize];
    [
        "Offset of field: nf_importance_info::smoothed_ess",
    ][::core::mem::offset_of!(nf_importance_info, smoothed_ess) - 104usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_coverage_info {
    pub struct_size: u32,
    pub reserved: u32,
    pub samples: i64,
    pub target_samples: i64,
    /**```text
from both sets of rows (bridge sampling, Meng & Wong 1996), and its standard error
```*/
    pub log_z: f64,
    /**```text
from both sets of rows (bridge sampling, Meng & Wong 1996), and its standard error
```*/
    pub log_z_error: f64,
    /**```text
log_z minus that of the samples alone, in standard errors of the difference: above 4, the
samples miss a part of the target, and their log Z is too small
```*/
    pub deviation: f64,
    pub forward_kl: f64,
    /**```text
mean(log p - log q) over rows of the target minus log_z: how badly the model fits
where the target is
```*/
    pub forward_kl_error: f64,
    /**```text
share of the rows of the target whose weight is above that of every sample, and the
probability of so many if the weights' tail goes on as the samples show it: below 1e-4,
there is more target out there
```*/
    pub outside: f64,
    /**```text
share of the rows of the target whose weight is above that of every sample, and the
probability of so many if the weights' tail goes on as the samples show it: below 1e-4,
there is more target out there
```*/
    pub outside_p: f64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nf_coverage_info"][::core::mem::size_of::<nf_coverage_info>() - 80usize];
    [
        "Alignment of nf_coverage_info",
    ][::core::mem::align_of::<nf_coverage_info>() - 8usize];
    [
        "Offset of field: nf_coverage_info::struct_size",
    ][::core::mem::offset_of!(nf_coverage_info, struct_size) - 0usize];
    [
        "Offset of field: nf_coverage_info::reserved",
    ][::core::mem::offset_of!(nf_coverage_info, reserved) - 4usize];
    [
        "Offset of field: nf_coverage_info::samples",
    ][::core::mem::offset_of!(nf_coverage_info, samples) - 8usize];
    [
        "Offset of field: nf_coverage_info::target_samples",
    ][::core::mem::offset_of!(nf_coverage_info, target_samples) - 16usize];
    [
        "Offset of field: nf_coverage_info::log_z",
    ][::core::mem::offset_of!(nf_coverage_info, log_z) - 24usize];
    [
        "Offset of field: nf_coverage_info::log_z_error",
    ][::core::mem::offset_of!(nf_coverage_info, log_z_error) - 32usize];
    [
        "Offset of field: nf_coverage_info::deviation",
    ][::core::mem::offset_of!(nf_coverage_info, deviation) - 40usize];
    [
        "Offset of field: nf_coverage_info::forward_kl",
    ][::core::mem::offset_of!(nf_coverage_info, forward_kl) - 48usize];
    [
        "Offset of field: nf_coverage_info::forward_kl_error",
    ][::core::mem::offset_of!(nf_coverage_info, forward_kl_error) - 56usize];
    [
        "Offset of field: nf_coverage_info::outside",
    ][::core::mem::offset_of!(nf_coverage_info, outside) - 64usize];
    [
        "Offset of field: nf_coverage_info::outside_p",
    ][::core::mem::offset_of!(nf_coverage_info, outside_p) - 72usize];
};
/**```text

```*/
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_metropolis_info {
    pub struct_size: u32,
    pub reserved: u32,
    /**```text
steps of each chain, including burn-in and thinning
```*/
    pub steps: u64,
    /**```text
fraction of proposals accepted after burn-in
```*/
    pub acceptance: f64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of nf_metropolis_info",
    ][::core::mem::size_of::<nf_metropolis_info>() - 24usize];
    [
        "Alignment of nf_metropolis_info",
    ][::core::mem::align_of::<nf_metropolis_info>() - 8usize];
    [
        "Offset of field: nf_metropolis_info::struct_size",
    ][::core::mem::offset_of!(nf_metropolis_info, struct_size) - 0usize];
    [
        "Offset of field: nf_metropolis_info::reserved",
    ][::core::mem::offset_of!(nf_metropolis_info, reserved) - 4usize];
    [
        "Offset of field: nf_metropolis_info::steps",
    ][::core::mem::offset_of!(nf_metropolis_info, steps) - 8usize];
    [
        "Offset of field: nf_metropolis_info::acceptance",
    ][::core::mem::offset_of!(nf_metropolis_info, acceptance) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_table {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nf_batches {
    _unused: [u8; 0],
}
extern "C" {
    /**```text
[any; stable 0.1] Version of the loaded library; compare it with NF_VERSION of the header.
```*/
    pub fn nf_version() -> u32;
    /**```text
[any; stable 0.1] For logs and bug reports: "0.2.0 (simd AVX3, products OpenBLAS 0.3.21 SkylakeX)", or "own".
```*/
    pub fn nf_version_string() -> *const ::core::ffi::c_char;
    /**```text
[any; stable 0.1] Name of a status, such as "NF_ERR_SHAPE". Returns "NF_ERR_UNKNOWN" for an unrecognized code.
```*/
    pub fn nf_status_name(status: nf_status) -> *const ::core::ffi::c_char;
    /**```text
[any; stable 0.1] Lists every option as a JSON array of {"name", "scope", "type", "default", "doc"} plus "min" and "max"
 for numbers or "choices" and "choice_docs". The name is the whole key, "trainer.lr"; the scope says which calls read it:
 "runtime", "load", "session", "trainer", "fit", "table", "batches", "metropolis". The string is static. NULL only when
 out of memory.
```*/
    pub fn nf_options_describe() -> *const ::core::ffi::c_char;
    /**```text
[any; stable 0.1] Creates an empty set: every option has its default.
```*/
    pub fn nf_options_create(out: *mut *mut nf_options, err: *mut nf_error) -> nf_status;
    /**```text
[excl; stable 0.1] Set one option, "trainer.lr". An unknown key, a wrong type or a value out of bounds is
 NF_ERR_SPEC; the message names the nearest key or the bounds. A call that is given a key of a scope that it does not
 read fails with NF_ERR_SPEC: it would have no effect. Integers are exact in 64 bits. nf_options_set parses `value`
 according to the option's type, for command lines and configuration files.
```*/
    pub fn nf_options_set_i64(
        o: *mut nf_options,
        key: *const ::core::ffi::c_char,
        value: i64,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_options_set_f64(
        o: *mut nf_options,
        key: *const ::core::ffi::c_char,
        value: f64,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_options_set_str(
        o: *mut nf_options,
        key: *const ::core::ffi::c_char,
        value: *const ::core::ffi::c_char,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_options_set(
        o: *mut nf_options,
        key: *const ::core::ffi::c_char,
        value: *const ::core::ffi::c_char,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.2] Writes the options that were set as a JSON object {"trainer.lr": 0.001, ...}, in the order of their
 keys. Each value reads back with nf_options_set. Errors: CALLBACK.
```*/
    pub fn nf_options_json(
        o: *const nf_options,
        write: nf_write_fn,
        user: *mut ::core::ffi::c_void,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_options_free(o: *mut nf_options);
    /**```text
[any; stable 0.1] options (scope "runtime"), allocator, executor and log may each be NULL. Results never depend on the
 number of threads.

 Which threads: a program that scores or trains on one thread wants the default, one thread per core. A server that has a
 thread per request wants "runtime.threads" = 1, or sessions with "session.threads" = 1: each session then holds scratch
 memory for one thread and never waits for another.

 Functions that take a runtime accept NULL for one with default options, which belongs to the handle they create.

 fork(): in the child, calls run on the calling thread only, because the runtime's threads stay in the parent; no call of
 another thread may be under way while forking. exit(): nothing is registered with atexit; handles that are not freed are
 left to the operating system, but none may be in use on another thread while the process exits.

 Errors: ARGUMENT (struct_size), VERSION (the header is newer than the library, or older than it serves), NOMEM, INTERNAL
 (kernel self-test).
```*/
    pub fn nf_runtime_create_v(
        header_version: u32,
        options: *const nf_options,
        allocator: *const nf_allocator,
        executor: *const nf_executor,
        log: nf_log_fn,
        log_user: *mut ::core::ffi::c_void,
        out: *mut *mut nf_runtime,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_runtime_free(rt: *mut nf_runtime);
    /**```text
[any; stable 0.1] Describes what a spec may contain, as JSON {"layers": [PART, ...], "nets": [PART, ...], "bases":
 [PART, ...], ..., "embedding": PART, "spec": PART}: one list for every kind of part, and the fields of the spec itself.
 PART is {"name", "doc", "source", "fields": [FIELD, ...]}, plus "aliases", names that are read too. FIELD is {"name",
 "type", "default", "doc"} plus "min" and "max" for numbers, also "max_count" for lists, "max_bytes" for text, or
 "choices". Types: integer, number, boolean, text, integers and numbers (lists), choice; object, which has "fields"; part,
 of the list "of"; chain, a list of layers. The string is static. NULL only when out of memory.
```*/
    pub fn nf_parts_describe() -> *const ::core::ffi::c_char;
    /**```text
[any; stable 0.1] Builds a model and draws its initial parameters from `seed`. The spec is UTF-8 JSON of spec_len bytes
 (NF_TEXT: up to its NUL):

   {"event": [6], "context": [0], "dtype": "float32", "base": "normal", "layers": [
     {"repeat": 8, "layers": [{"type": "affine_coupling", "net": {"type": "mlp", "hidden": [128, 128]}},
                              {"type": "reverse"}]}]}

   "event"      number of columns of x and z, where 6 and [6] are the same, or [height, width, channels]. Required.
   "context"    number of columns of the context, likewise; default 0, no context.
   "prepare_context"  {}: standardizes the context by the training rows before anything sees it. Default none.
   "embedding"  {fields...}: a net applied to the context; layers and base see its output instead. Default none.
   "dtype"      "float32" (default) or "float64", for parameters and arithmetic.
   "kind"       what the model is; default "flow", whose fields these are.
   "base"       NAME or {"type": NAME, fields...}; default "normal".
   "layers"     the chain from x to z: a layer {"type": NAME, fields...} or a chain {"layers": [...]} each. Required.
   "repeat"     in a layer or chain: number of copies in a row, each with its own parameters; default 1.
   "invert"     in a layer, in a chain or at the top level: true swaps forward and inverse; default false.
   "per_pixel"  in a layer of an image: act on the channels of each pixel alike; nf_parts_describe has its default.
 nf_parts_describe lists names and fields. Unknown keys are errors. Errors: SPEC (begins with the JSON path), NOMEM.
```*/
    pub fn nf_model_create(
        rt: *mut nf_runtime,
        spec_json: *const ::core::ffi::c_char,
        spec_len: usize,
        seed: u64,
        out: *mut *mut nf_model,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[any; stable 0.1] Read a model or a checkpoint from a file or from memory; options of scope "load". A file larger
 than "load.max_file_bytes" is NF_ERR_IO with os_errno EFBIG. With "load.verify" the rows stored by
 nf_model_set_self_test are scored again: NF_ERR_CHECKSUM names the row and both numbers if they differ, or says that
 the file has no such rows. Errors: IO, FORMAT, CHECKSUM, VERSION, SPEC, NOMEM.
```*/
    pub fn nf_model_load(
        rt: *mut nf_runtime,
        path: *const ::core::ffi::c_char,
        options: *const nf_options,
        out: *mut *mut nf_model,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[any; stable 0.1]
```*/
    pub fn nf_model_load_memory(
        rt: *mut nf_runtime,
        bytes: *const ::core::ffi::c_void,
        n: usize,
        options: *const nf_options,
        out: *mut *mut nf_model,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
Write the model as safetensors. Equal models give equal bytes. nf_model_save replaces `path` atomically and durably.

[shared; stable 0.1]
```*/
    pub fn nf_model_save(
        m: *const nf_model,
        path: *const ::core::ffi::c_char,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.1]
```*/
    pub fn nf_model_save_stream(
        m: *const nf_model,
        write: nf_write_fn,
        user: *mut ::core::ffi::c_void,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; experimental 0.2] From now on, files and checkpoints of this model also hold `rows` samples of it, at most 1000,
 drawn when it is saved, and their log_prob, for "load.verify" to check on another machine; 0 rows: none. No row of data
 is stored. Processors round differently, so a log_prob may differ by a relative 1e-4 (float32) or 1e-9 (float64), or by
 that much where it is smaller than 1. Older versions ignore the rows. Errors: ARGUMENT (rows).
```*/
    pub fn nf_model_set_self_test(
        m: *mut nf_model,
        rows: i64,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared on m; stable 0.2] Creates an independent copy: spec, parameters, buffers, notes. rt NULL: the runtime of m. A
 service keeps scoring with the copy while m trains on. Errors: NOMEM.
```*/
    pub fn nf_model_clone(
        m: *const nf_model,
        rt: *mut nf_runtime,
        out: *mut *mut nf_model,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl on to, shared on from; stable 0.2] Copies parameters, buffers and notes. Sessions of `to` stay valid and see them
 from their next call on; its trainer goes on from them. Errors: SPEC (the canonical specs differ).
```*/
    pub fn nf_model_copy(
        to: *mut nf_model,
        from: *const nf_model,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[any; stable 0.2] Counts the changes of the parameters since the model was created: after a step, a copy, a restored
 checkpoint or a set tensor it is another number. Costs one load from memory. 0 for NULL.
```*/
    pub fn nf_model_generation(m: *const nf_model) -> u64;
    /**```text
[shared; stable 0.2] Hash of the bits of all tensors; reads them all. 0 for NULL.
```*/
    pub fn nf_model_hash(m: *const nf_model) -> u64;
    /**```text
[shared; stable 0.1] The canonical spec, with every default written out. NULL if m is NULL.
```*/
    pub fn nf_model_spec(m: *const nf_model) -> *const ::core::ffi::c_char;
    /**```text
[shared; experimental 0.1] Writes what the model is, as UTF-8 JSON without a terminating NUL: {"kind": "flow", "event":
 [8, 8, 1], "latent": [64], "context": [0], "dtype": "float32", "log_prob": "exact", "layers": [...], "scales": [...]}.
 "layers" are {"name": "layers.0", "where": "spec.layers[0] (squeeze)", "type": "squeeze", "inverted": false, "event": [8,
 8, 1], "latent": [4, 4, 4], "columns": 64}, after nesting and repeats are expanded, in forward order, with the fields of
 nf_layer_info; a layer turns an "event" into a "latent" of as many columns. "scales" are {"where": "spec.layers[1]
 (split)", "first_column": 32, "columns": 32, "event": [4, 4, 2]}: which columns of the latents leave the chain together,
 and their shape; first those that go through all layers, with "where" empty, then what each split factors out, from the
 innermost. Errors: CALLBACK.
```*/
    pub fn nf_model_describe(
        m: *const nf_model,
        write: nf_write_fn,
        user: *mut ::core::ffi::c_void,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.1]
```*/
    pub fn nf_model_get_info(
        m: *const nf_model,
        info: *mut nf_model_info,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.2] index in [0, layer_count), in forward order.
```*/
    pub fn nf_model_layer(
        m: *const nf_model,
        index: i64,
        info: *mut nf_layer_info,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.1] index in [0, tensor_count).
```*/
    pub fn nf_model_tensor(
        m: *const nf_model,
        index: i64,
        info: *mut nf_tensor_info,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
Copy a tensor out of or into the model by name. The view must have the tensor's shape. Tensors are dense, whatever
 libnf stores (include/nf/README.md lists them): weights are [outputs, inputs] and act on columns, y = W x + b; triangular
 and masked matrices are square or rectangular with zeros, and setting ignores what the mask excludes. Buffers that must
 stay valid (a permutation, a rotation) are checked: NF_ERR_ARGUMENT. set refuses NaN and infinity: NF_ERR_NUMERIC.

[shared; stable 0.1]
```*/
    pub fn nf_model_get_tensor(
        m: *const nf_model,
        name: *const ::core::ffi::c_char,
        out: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_model_set_tensor(
        m: *mut nf_model,
        name: *const ::core::ffi::c_char,
        value: *const nf_view,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; experimental 0.2] Fills out, of the tensor's shape, with 1 where entries are used and 0 where they are fixed at 0.
 Hidden units of masked nets (Germain et al. 2015) are sorted by degree, the number of columns of x that a unit may depend
 on: an importer sorts rows and columns to match. Inputs (context, then x) and outputs follow the columns of x.
```*/
    pub fn nf_model_get_mask(
        m: *const nf_model,
        name: *const ::core::ffi::c_char,
        out: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.2] Data-dependent initialization: sets the layers that take their initial parameters from data
 ("actnorm", "standardize", "batch_norm"). In chain order, each takes the mean and unbiased standard deviation of the
 rows x [n, event_size] as they arrive at it; a constant column is only centered. This happens once in the life of a
 model: a flag, the tensor "...initialized", is saved with it. If every layer is already initialized, the call is a no-op.
 Without this call nf_fit initializes from all training rows, and nf_train_step from its first batch; call it with all
 training rows if the chain has "standardize". Needs memory for one copy of the rows, unless the only layer to initialize
 is the first of the chain. Errors, which change nothing: ARGUMENT (fewer than 2 rows), NUMERIC (a row is not finite; the
 message says where).
```*/
    pub fn nf_model_init_from_data(
        m: *mut nf_model,
        x: *const nf_view,
        ctx: *const nf_view,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
Notes are saved in the model's file: column names, units, who trained it. A NULL value removes the note.

[excl; stable 0.1]
```*/
    pub fn nf_model_set_note(
        m: *mut nf_model,
        key: *const ::core::ffi::c_char,
        value: *const ::core::ffi::c_char,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.1] NULL when there is no such note.
```*/
    pub fn nf_model_note(
        m: *const nf_model,
        key: *const ::core::ffi::c_char,
    ) -> *const ::core::ffi::c_char;
    /**```text
[shared; stable 0.1] Key number `index` in alphabetical order; NULL when out of range.
```*/
    pub fn nf_model_note_key(
        m: *const nf_model,
        index: i64,
    ) -> *const ::core::ffi::c_char;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_model_free(m: *mut nf_model);
    /**```text
[excl; stable 0.2] Trains m on `data` and leaves the weights of the best validation in it, or with option
 "fit.restore_best" = false the last ones.
 The rows are split by "fit.split_seed" into "fit.holdout" (default 0.1) for validation and the rest for training, unless
 data.part splits them or `valid` gives the validation rows; without any the last weights stay. Rows of weight 0 are left
 out. No row is copied. Rows of a mapped table of m's runtime (nf_data.h) are split by blocks of "batches.block" rows, in
 order "blocks" unless another one is set, with at most 100,000 held out by default; "batches.part_begin" and ".part_end"
 restrict a run to a part of the blocks, whose end is held out.
 Layers that start from data start from all training rows: put "standardize" first in the spec to fit data of any scale.
 Every "fit.valid_every" steps (default: one epoch, but 16 to 64 times in a run) the validation rows are scored. A
 validation with fewer rows without a density is better, and among equals one with a larger mean of the others;
 "fit.patience" validations without improvement end the run. With "fit.checkpoint" = PATH the run is saved there after
 each validation and when the callback stops it. With "fit.resume" it continues from that file, bit for bit, and starts
 if there is none; a file of a run with other settings or rows is NF_ERR_STATE.
 Scopes read: "fit", "trainer", "batches", "session". valid, options, on_progress and info may be NULL; info receives the
 end of the run. Errors: as of nf_train_step and nf_trainer_create, where nf_error.row is the row of `data`, or of `valid`
 if the message says so; UNSUPPORTED (an objective without data), SHAPE (too few rows to split), NUMERIC (a validation row
 is not finite, or none ever had a density). After an error the model holds the best weights so far.
```*/
    pub fn nf_fit(
        m: *mut nf_model,
        data: *const nf_batch,
        valid: *const nf_batch,
        options: *const nf_options,
        on_progress: nf_fit_fn,
        user: *mut ::core::ffi::c_void,
        info: *mut nf_fit_info,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.2] Scores rows as nf_log_prob does, with a session for this one call. Keep a session instead to score
 again and again.
```*/
    pub fn nf_score(
        m: *const nf_model,
        x: *const nf_view,
        ctx: *const nf_view,
        log_prob: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.2] Fills out with samples 0 .. n - 1 of the stream `seed`, as nf_sample does.
```*/
    pub fn nf_draw(
        m: *const nf_model,
        seed: u64,
        ctx: *const nf_view,
        out: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
A session is [excl]: a call while another thread is in the same session is NF_ERR_STATE and does nothing. Any number of
 sessions may use one model at once, as long as no thread trains or modifies it.
 x and z are [n, event_size] and [n, latent_size], or [n, height, width, channels] if the event or the latent has that
 shape, for any n; strides take images that are stored channel first. ctx is [n, context_size], or [1, context_size] to
 share one row, or NULL when the model has no context. log_det and log_prob are [n]. The bits of a row's result do not depend
 on n or on other rows. log_prob of a row without NaN is finite or -infinity (density 0: the row lies outside of a layer's
 domain, or a number on the way overflows); it is NaN if the row is, its context is invalid, or a parameter is not finite.
 With "session.nonfinite" = "error" both are NF_ERR_NUMERIC and nf_error.row is the row. Calls allocate nothing, but the
 first gradient of a session without "session.gradients" reserves scratch memory.

[shared on the model; stable 0.1] Options of scope "session". "session.threads" (default: all of the runtime's) is how
 many of the runtime's threads one call may use; memory is proportional to it.
```*/
    pub fn nf_session_create(
        m: *const nf_model,
        options: *const nf_options,
        out: *mut *mut nf_session,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.1] Scratch memory, in bytes; 0 for NULL.
```*/
    pub fn nf_session_bytes(s: *const nf_session) -> usize;
    /**```text
[excl; stable 0.1] Computes log_prob of every row, in nats. Of a model that draws numbers while it scores, it is a bound:
 exp of it is an unbiased estimate of the density, so that its expectation over draws is at most the log-density. Option
 "session.score_samples" takes the mean over that many draws inside the logarithm, which is closer to the log-density the
 more there are (Burda et al. 2016). What is drawn for a row is a function of option "session.score_seed", the numbers of
 the row and of its context, and the draw: equal rows have equal results wherever they stand, and in any dtype that holds
 their numbers. nf_forward and nf_trace take the first of these draws.
```*/
    pub fn nf_log_prob(
        s: *mut nf_session,
        x: *const nf_view,
        ctx: *const nf_view,
        log_prob: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.2] The same for one row x [event_size] and ctx [context_size] (or NULL), without views: for latency.
```*/
    pub fn nf_log_prob_row(
        s: *mut nf_session,
        x: *const f64,
        ctx: *const f64,
        log_prob: *mut f64,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1] Map x to z, and z to x. log_det may be NULL.
```*/
    pub fn nf_forward(
        s: *mut nf_session,
        x: *const nf_view,
        ctx: *const nf_view,
        z: *const nf_out,
        log_det: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_inverse(
        s: *mut nf_session,
        z: *const nf_view,
        ctx: *const nf_view,
        x: *const nf_out,
        log_det: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.2] Writes the rows before, between and after all layers. out is [layer_count + 1, n, columns], or for an
 event [height, width, channels] also [layer_count + 1, n, height, width, channels]; every plane is flat rows in that
 shape, whatever the layers make of the event. out[0] = from, and out[k] holds the rows after the first k layers of that
 direction, so out[layer_count] has the bits of nf_forward or nf_inverse. log_det [layer_count, n] receives what each of
 these layers adds to log_det, and may be NULL. Layer k is nf_model_layer(m, k - 1) in forward and nf_model_layer(m,
 layer_count - k) in inverse.
```*/
    pub fn nf_trace(
        s: *mut nf_session,
        direction: nf_direction,
        from: *const nf_view,
        ctx: *const nf_view,
        out: *const nf_out,
        log_det: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.2] Fills out [n, event_size] with samples. A sample's bits do not depend on how a run is split into calls
 or threads. log_prob [n] receives the model's log-density at the samples (at temperature 1) from the same pass, or where
 it is a bound what nf_log_prob gives for them, and may be NULL. ctx has n / repeat rows, or 1. how NULL: all 0.
```*/
    pub fn nf_sample(
        s: *mut nf_session,
        how: *const nf_sampling,
        ctx: *const nf_view,
        out: *const nf_out,
        log_prob: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
 gradients at the boundary --------------------------------------------------------------------------------
 Derivatives with respect to rows, not parameters, of models that are chains of layers (nf_model_info.has_layers).
 Rows are independent to the bit, as in nf_log_prob, any dtype and strides are taken, and every out may be NULL.
 Gradients with respect to the context are per row, [n, context_size], also where ctx is one row for all. Where log_prob
 is a bound, its gradient holds the draws, and a column that "dequantize" rounds moves together with its cell; in the
 inverse direction such a column is constant. The first of these calls allocates for all of them (a copy of the weights
 and larger scratch memory, counted by nf_session_bytes), unless "session.gradients" did at creation; if that fails, the
 session stays as it was. Errors: UNSUPPORTED (no chain; nf_jvp: a layer without a tangent rule, named), NUMERIC (with
 "session.nonfinite" = "error": a value, a derivative, or what it is multiplied by is not finite; nf_error.row).

[excl; stable 0.2] log_prob [n], its gradient dx [n, event_size] and dctx.
```*/
    pub fn nf_log_prob_grad(
        s: *mut nf_session,
        x: *const nf_view,
        ctx: *const nf_view,
        log_prob: *const nf_out,
        dx: *const nf_out,
        dctx: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.2] Pulls cotangents back through forward (from = x) or inverse (from = z). With to, log_det = f(from,
 ctx): d_from = J' cot_to + cot_log_det * grad log_det, and d_ctx likewise. cot_to has the shape of to, cot_log_det is
 [n]; NULL stands for zeros.
```*/
    pub fn nf_vjp(
        s: *mut nf_session,
        direction: nf_direction,
        from: *const nf_view,
        ctx: *const nf_view,
        cot_to: *const nf_view,
        cot_log_det: *const nf_view,
        to: *const nf_out,
        log_det: *const nf_out,
        d_from: *const nf_out,
        d_ctx: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; experimental 0.2] Pushes tangents of from and ctx (NULL: zeros) forward: tan_to = J tan_from + J_ctx tan_ctx, and
 tan_log_det [n]. tan_ctx has n rows or 1, whatever ctx has.
```*/
    pub fn nf_jvp(
        s: *mut nf_session,
        direction: nf_direction,
        from: *const nf_view,
        ctx: *const nf_view,
        tan_from: *const nf_view,
        tan_ctx: *const nf_view,
        to: *const nf_out,
        log_det: *const nf_out,
        tan_to: *const nf_out,
        tan_log_det: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_session_free(s: *mut nf_session);
    /**```text
[excl on the model; stable 0.1] Options of scope "trainer": "trainer.objective", "trainer.optimizer", "trainer.lr",
 "trainer.schedule", "trainer.clip_norm", "trainer.groups", "trainer.memory", ... A model has at most one trainer at a time;
 a second one is NF_ERR_STATE. Errors: SPEC (a setting that the others would ignore, groups that match no parameter),
 UNSUPPORTED (an objective that cannot train a layer).
```*/
    pub fn nf_trainer_create(
        m: *mut nf_model,
        options: *const nf_options,
        c: *const nf_collective,
        out: *mut *mut nf_trainer,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.2] Writes all settings of the trainer, defaults included, as a JSON object {"trainer.lr": 0.001, ...},
 each of which reads back with nf_options_set. Errors: CALLBACK.
```*/
    pub fn nf_trainer_options(
        t: *const nf_trainer,
        write: nf_write_fn,
        user: *mut ::core::ffi::c_void,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1] Sets or replaces the target of an objective that has one (nf_infer.h). The trainer keeps it alive.
 Errors: SHAPE (columns differ from the model's), STATE (the objective has no target).
```*/
    pub fn nf_trainer_set_target(
        t: *mut nf_trainer,
        target: *const nf_target,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.1] Bytes the trainer holds; grows only when the batch does.
```*/
    pub fn nf_trainer_bytes(t: *const nf_trainer) -> usize;
    /**```text
[excl; stable 0.2] Takes one step on a batch of n >= 1 rows. info may be NULL. If the loss or gradient is not finite the
 step is not applied: NF_ERR_NUMERIC names the layer and rows (nf_error.layer, .row), and the parameters keep their values.
 Layers with data-dependent initialization that have not been initialized take it from the first batch, as in
 nf_model_init_from_data. "batch_norm" needs 2 rows of weight above 0, which count equally in its statistics, and keeps the
 graph of the whole batch in memory.
 What a step minimizes is option "trainer.objective"; nf_options_describe says what each objective computes and which
 streams of the batch and options it has. Objectives without data (those that only draw samples from the model) take a
 batch whose only stream is ctx, with 1 or "trainer.samples" rows, or NULL. Samples are a function of (seed, step, row): the
 same bits for any number of threads and after a restart. A target that fails, or returns NaN or infinity, gives
 NF_ERR_CALLBACK, NF_ERR_CANCELLED, or NF_ERR_NUMERIC naming the row; the step is not applied and the trainer stays usable.
 Without data, layers with data-dependent initialization keep their initial parameters and "batch_norm" uses its running
 statistics; objectives with data beside samples or scores refuse "batch_norm" (NF_ERR_UNSUPPORTED).
```*/
    pub fn nf_train_step(
        t: *mut nf_trainer,
        batch: *const nf_batch,
        info: *mut nf_step_info,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.2] Computes the objective on a batch of any size with the model's parameters as they are, without a step:
 loss, and its standard error over rows, or samples for objectives that draw them; 0 for a single one. loss_error may be
 NULL. There is no dropout, and "batch_norm" uses its running statistics. Samples are those of the next step. Errors: as of
 nf_train_step; STATE (a layer with data-dependent initialization has not been initialized).
```*/
    pub fn nf_trainer_evaluate(
        t: *mut nf_trainer,
        batch: *const nf_batch,
        loss: *mut f64,
        loss_error: *mut f64,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; experimental 0.2] Adds parameter gradients. batch: x and ctx. The objective of the trainer plays no part. Errors:
 UNSUPPORTED (no chain of layers; a layer draws numbers, as "dequantize" does, and anything but log_prob in NF_FORWARD is
 given), NUMERIC (a cotangent or a result is not finite; nf_error.row). An error leaves what was added before.
```*/
    pub fn nf_trainer_accumulate(
        t: *mut nf_trainer,
        batch: *const nf_batch,
        c: *const nf_cotangents,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; experimental 0.2] Clips, takes one optimizer step with the gradients added so far, and forgets them. `loss` is the
 host's, for info only; schedule "plateau" listens to nf_trainer_observe, as in nf_train_step. Errors: STATE (nothing was
 added), NUMERIC (the gradient is not finite; it is forgotten and the step is not applied). While gradients wait,
 nf_train_step and nf_trainer_save answer NF_ERR_STATE.
```*/
    pub fn nf_trainer_apply(
        t: *mut nf_trainer,
        loss: f64,
        info: *mut nf_step_info,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; experimental 0.2] Forgets the gradients added so far; a no-op if there are none.
```*/
    pub fn nf_trainer_discard(t: *mut nf_trainer, err: *mut nf_error) -> nf_status;
    /**```text
[excl; stable 0.1] Trains until max_steps steps have been applied in total (0 = no limit), the source ends, or on_step
 (may be NULL) stops it. source is NULL for objectives without data on models without context.
```*/
    pub fn nf_train_run(
        t: *mut nf_trainer,
        source: *const nf_source,
        max_steps: u64,
        on_step: nf_progress_fn,
        user: *mut ::core::ffi::c_void,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1] Reports a validation loss (lower is better) to schedule "plateau"; other schedules ignore it. Saved in
 checkpoints. NaN counts as no improvement.
```*/
    pub fn nf_trainer_observe(
        t: *mut nf_trainer,
        validation_loss: f64,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.2] Changes the learning rate that the schedule starts from: of the group of "trainer.groups" whose "match"
 is `group`, with "" of the parameters of no group, with NULL of all. nf_trainer_options shows it, and checkpoints hold it;
 restoring a checkpoint without it goes back to the rates of the options. Errors: ARGUMENT (lr is not above 0, above 1000 or
 below the schedule's end; no such group, or a frozen one).
```*/
    pub fn nf_trainer_set_lr(
        t: *mut nf_trainer,
        group: *const ::core::ffi::c_char,
        lr: f64,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.2] Begins anew from the parameters in the model, for other data: the step count, the schedule, "plateau"
 and the average start from the beginning; optimizer moments are kept with their age (keep_moments = 1) or zeroed (0).
 Accumulated gradients are forgotten; learning rates and initialized layers stay. Errors: ARGUMENT (keep_moments).
```*/
    pub fn nf_trainer_restart(
        t: *mut nf_trainer,
        keep_moments: i32,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1] A checkpoint is a model file that also holds optimizer state, step and schedule state. Restoring
 it into a trainer with the same spec and options continues with the same bits as if training had never stopped.
 nf_trainer_save is atomic and durable.
```*/
    pub fn nf_trainer_save(
        t: *const nf_trainer,
        path: *const ::core::ffi::c_char,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.2]
```*/
    pub fn nf_trainer_save_stream(
        t: *const nf_trainer,
        write: nf_write_fn,
        user: *mut ::core::ffi::c_void,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_trainer_restore(
        t: *mut nf_trainer,
        path: *const ::core::ffi::c_char,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.2]
```*/
    pub fn nf_trainer_restore_memory(
        t: *mut nf_trainer,
        bytes: *const ::core::ffi::c_void,
        n: usize,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1] Steps applied so far.
```*/
    pub fn nf_trainer_step_count(t: *const nf_trainer) -> u64;
    /**```text
[excl; stable 0.1] With option "trainer.ema_decay": on = 1 puts the averaged parameters into the model, to score, sample
 and save with them; on = 0 puts back those of the last step, which nf_train_step does by itself. Calling it in the state
 it asks for is a no-op. Checkpoints hold both and must be saved with on = 0. Errors: STATE (no average is kept),
 ARGUMENT.
```*/
    pub fn nf_trainer_use_average(
        t: *mut nf_trainer,
        on: i32,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_trainer_free(t: *mut nf_trainer);
    /**```text
[any; stable 0.1] Lists the built-in targets as JSON [{"name", "doc", "formula", "source", "min_columns", "max_columns",
 "fields"}], with fields as in nf_parts_describe. The string is static. NULL only when out of memory.
```*/
    pub fn nf_targets_describe() -> *const ::core::ffi::c_char;
    /**```text
[any; stable 0.1] Creates a built-in target from its name or from UTF-8 JSON {"type": NAME, fields...} of spec_len bytes
 (or NF_TEXT): "u1" or {"type": "u1", "radius": 4, "spread": 0.8}. event_size is its number of columns. Errors: SPEC, SHAPE
 (the target cannot have that many columns).
```*/
    pub fn nf_target_create(
        rt: *mut nf_runtime,
        spec: *const ::core::ffi::c_char,
        spec_len: usize,
        event_size: i64,
        out: *mut *mut nf_target,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[any; stable 0.1] `user` must outlive the target and every handle that was given the target.
```*/
    pub fn nf_target_create_callback(
        rt: *mut nf_runtime,
        event_size: i64,
        fn_: nf_target_fn,
        user: *mut ::core::ffi::c_void,
        out: *mut *mut nf_target,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[any; experimental 0.2] As nf_target_create_callback, but the callback gets float64 whatever the dtype of the model, and its
 log densities stay float64. A float32 log density has 24 bits: near -1e8 it is a multiple of 8.
```*/
    pub fn nf_target_create_callback_f64(
        rt: *mut nf_runtime,
        event_size: i64,
        fn_: nf_target_fn,
        user: *mut ::core::ffi::c_void,
        out: *mut *mut nf_target,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.1]
```*/
    pub fn nf_target_get_info(
        t: *const nf_target,
        info: *mut nf_target_info,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.1] Evaluates log_density [n] and gradient [n, event_size] (may be NULL) at x [n, event_size]. ctx is NULL
 or has n or 1 rows and is passed through to the callback, which gets the dtype of x. Built-in targets compute in float64.
```*/
    pub fn nf_target_log_density(
        t: *const nf_target,
        x: *const nf_view,
        ctx: *const nf_view,
        log_density: *const nf_out,
        gradient: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_target_free(t: *mut nf_target);
    /**```text
[any; experimental 0.2] Mean of log_prob [n], as nf_log_prob or nf_score fill it in, with weights [n] >= 0 or NULL. Rows of
 density 0 are counted instead of left out in silence. Errors: ARGUMENT (n = 0, a weight that is negative or not finite, no
 weight above 0), NUMERIC (a log_prob of weight above 0 is NaN or +infinity; nf_error.row).
```*/
    pub fn nf_score_mean(
        log_prob: *const nf_view,
        weight: *const nf_view,
        info: *mut nf_score_info,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
Of a variational autoencoder it is the prior.

[excl; experimental 0.2] log-density [n] of the base at z.
```*/
    pub fn nf_base_log_prob(
        s: *mut nf_session,
        z: *const nf_view,
        ctx: *const nf_view,
        log_prob: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; experimental 0.2] The latents of the samples that nf_sample draws: nf_inverse maps them to those rows, and nf_decode
 gives the means of those rows.
```*/
    pub fn nf_base_sample(
        s: *mut nf_session,
        how: *const nf_sampling,
        ctx: *const nf_view,
        z: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; experimental 0.2] Maps u in (0, 1) [n, latent_size] column by column through the inverse distribution function of
 the base: with low-discrepancy u, samples for quasi-Monte Carlo. u is read as float64 also by a float32 model, so it may be
 very close to 1. Errors: UNSUPPORTED (the base's columns depend on each other), ARGUMENT (u outside (0, 1), nf_error.row;
 nothing is written then).
```*/
    pub fn nf_base_quantile(
        s: *mut nf_session,
        u: *const nf_view,
        ctx: *const nf_view,
        z: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; experimental 0.2] Encodes rows x: the mean and the log variance, [n, latent_size], of z_0 given x, and a draw z of
 the posterior with log_q [n], its log-density. Outs may be NULL. The draw is the first of those of nf_log_prob, a function
 of "session.score_seed" and of the row. Errors: UNSUPPORTED (the model is of another kind), and those of nf_log_prob.
```*/
    pub fn nf_encode(
        s: *mut nf_session,
        x: *const nf_view,
        ctx: *const nf_view,
        mean: *const nf_out,
        log_var: *const nf_out,
        z: *const nf_out,
        log_q: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; experimental 0.2] The draw of nf_encode on its way through the posterior's layers: out [K + 1, n, latent_size] with
 out[0] = z_0 and out[K] = z, and log_det [K, n], which may be NULL. K is "posterior_layers" of nf_model_describe.
```*/
    pub fn nf_posterior_trace(
        s: *mut nf_session,
        x: *const nf_view,
        ctx: *const nf_view,
        out: *const nf_out,
        log_det: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; experimental 0.2] Decodes latents z [n, latent_size]: the mean of x given z. nf_sample draws z from the prior and x
 given z. Errors: UNSUPPORTED (the model is of another kind).
```*/
    pub fn nf_decode(
        s: *mut nf_session,
        z: *const nf_view,
        ctx: *const nf_view,
        x: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; experimental 0.1] Importance sampling with the session's model as the proposal, on samples first_index ..
 first_index + n - 1 of `seed`, the same as nf_sample's. x [n, event_size] and log_weight [n] = log p - log q are written
 unless NULL. The summary is computed block by block and keeps only the largest 3 sqrt(n) weights, so n may be arbitrarily
 large. log p is float64 whatever the model's dtype. ctx has 1 row or is NULL. The bits do not depend on the number of
 threads. Errors: those of the target, NUMERIC (no weight above 0, a row that is not finite, or a callback whose float32 log
 density has steps of 0.25 or more: see nf_target_create_callback_f64).
```*/
    pub fn nf_importance(
        s: *mut nf_session,
        target: *const nf_target,
        seed: u64,
        first_index: u64,
        n: i64,
        ctx: *const nf_view,
        x: *const nf_out,
        log_weight: *const nf_out,
        info: *mut nf_importance_info,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; experimental 0.2] The same for the latents of one row x [1, event_size] given a variational autoencoder: the proposal
 is its posterior q(z | x), the target p(x, z), and log_z of info an estimate of log p(x) with an error. Draws first_index ..
 first_index + n - 1 of `seed` go to z [n, latent_size] and log_weight [n] = log p(x, z) - log q(z | x) unless NULL: with
 nf_importance_mean, expectations under the true posterior p(z | x). ctx has 1 row or is NULL. Errors: UNSUPPORTED (the
 model is of another kind), NUMERIC (no weight above 0, or one that is not a number).
```*/
    pub fn nf_posterior_importance(
        s: *mut nf_session,
        x: *const nf_view,
        ctx: *const nf_view,
        seed: u64,
        first_index: u64,
        n: i64,
        z: *const nf_out,
        log_weight: *const nf_out,
        info: *mut nf_importance_info,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[any; experimental 0.1] Self-normalized estimates of expectations under the target: mean_j = sum_i w_i g_ij / sum_i w_i for
 values g [n, k] at the samples, with w = exp(log_weight [n]), and their standard errors (delta method). mean and error are
 [k]; error may be NULL. Errors: ARGUMENT (n = 0), NUMERIC (a weight or value is not finite, no weight is above 0).
```*/
    pub fn nf_importance_mean(
        log_weight: *const nf_view,
        values: *const nf_view,
        mean: *const nf_out,
        error: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[any; experimental 0.2] Pareto smoothed importance sampling: replaces the largest 3 sqrt(n) weights, at most a fifth, by
 quantiles of the distribution that was fitted to them, which lowers the variance of estimates at the price of a small bias.
 Writes smoothed [n] from log_weight [n], which may be the same memory, and *pareto_k; each may be NULL. Nothing is smoothed
 where pareto_k is 0 or not finite. Errors: ARGUMENT (n = 0), NUMERIC (a weight is NaN or infinite, no weight is above 0).
```*/
    pub fn nf_importance_smooth(
        log_weight: *const nf_view,
        smoothed: *const nf_out,
        pareto_k: *mut f64,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[any; experimental 0.2] Compares log_weight [n] of nf_importance with target_log_weight [m], log p - log q at rows of the
 target: nf_target_log_density minus nf_log_prob, in float64. Rows of Markov chains must be thinned until they are nearly
 independent, otherwise the errors are too small; 1000 rows see a missed part of 1 %. Infinity in target_log_weight is a row
 where q is 0. Errors: ARGUMENT (n = 0 or m = 0), NUMERIC (NaN, infinity in log_weight, -infinity in target_log_weight, no
 weight above 0; nf_error.row).
```*/
    pub fn nf_importance_coverage(
        log_weight: *const nf_view,
        target_log_weight: *const nf_view,
        info: *mut nf_coverage_info,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl on proposal; experimental 0.1] Runs Markov chains whose stationary density is the target and fills out [draws,
 chains, event_size]; out[:, c] is chain c. If proposal is NULL, the chains are random walks whose steps are option
 "metropolis.step_size" times standard normal numbers, started at `start` [chains, event_size], or at standard normal rows
 if start is NULL. Otherwise proposals are samples of that session's model (independence sampler), which also start the
 chains if start is NULL; ctx [1, context_size] or NULL is its context. Options "metropolis.step_size", ".burn_in", ".thin",
 ".seed". Chains are computed in float64 whatever the views' dtype; the bits do not depend on the number of threads.
 Errors: NUMERIC (a chain starts where the density is 0, or the density is NaN or +infinity somewhere), and those of the
 target.
```*/
    pub fn nf_metropolis(
        rt: *mut nf_runtime,
        target: *const nf_target,
        proposal: *mut nf_session,
        options: *const nf_options,
        start: *const nf_view,
        ctx: *const nf_view,
        out: *const nf_out,
        info: *mut nf_metropolis_info,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[any; stable 0.1] Reads a whole table: .npy of rank 1 to 4 and any real dtype, .npz (option "table.array" says which
 array), IDX (the format of MNIST; its images have one channel), or text with one row per line; any of them may be
 compressed with gzip, and `path` may be a pipe, which is read to its end. Of a text, the separator is found from the
 first lines or is "table.separator" (, ; | tab, or space for any
 blanks); "table.decimal" = "," reads decimal commas. The first line holds names if it has no number in it ("table.header"
 = "detect"); a line that could be both is NF_ERR_FORMAT, and "present" or "absent" decide. "table.columns" selects
 columns by index or name, "table.where" rows by the values of columns, "table.id" a column that names the rows.
 A text that is no number is NF_ERR_FORMAT; the message names line and column. So is a missing value, NaN or infinity,
 also in a .npy, unless "table.missing" is "drop", which leaves such rows out (and says so in the log), or "keep", which
 reads them as they are, missing values as NaN. Other options: "table.max_file_bytes", "table.dtype" = "float32" | "float64" |
 "uint8", which keeps bytes, such as pixels, in a quarter of the memory (ARGUMENT if the file has other numbers). "table.map"
 = "auto" (from 1 GiB) | "on" | "off" uses the rows of a little-endian float32 or float64 .npy, or a uint8 one as such, in
 place, so the file may exceed the memory; the view has the file's dtype, may be strided, and its values are not checked. If another program truncates the
 file in the meantime, nf_batches_get detects it (NF_ERR_IO); any other read of the view raises SIGBUS.
```*/
    pub fn nf_table_open(
        rt: *mut nf_runtime,
        path: *const ::core::ffi::c_char,
        options: *const nf_options,
        out: *mut *mut nf_table,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[any; experimental 0.2] Reads a table from `size` bytes in memory, the content of such a file; they are not needed
 afterwards. name: what messages call it, or NULL. Options and errors: those of nf_table_open.
```*/
    pub fn nf_table_parse(
        rt: *mut nf_runtime,
        bytes: *const ::core::ffi::c_void,
        size: usize,
        name: *const ::core::ffi::c_char,
        options: *const nf_options,
        out: *mut *mut nf_table,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[any; experimental 0.2] Writes what a file holds as JSON, found out from its first lines without reading the numbers:
 {"format": "csv" | "npy" | "npz" | "idx", "columns": N}, for arrays "dtype" ("uint8", "float32", "bool", ...), and for
 text "separator", "header" (boolean), "names" and "numeric" (per column, whether the first lines hold numbers). The
 file is at `path`, or with `bytes` its content is in memory and `path` only names it (NULL: not at all). Options and
 errors: those of nf_table_open; a pipe cannot be described.
```*/
    pub fn nf_table_describe(
        rt: *mut nf_runtime,
        path: *const ::core::ffi::c_char,
        bytes: *const ::core::ffi::c_void,
        size: usize,
        options: *const nf_options,
        write: nf_write_fn,
        user: *mut ::core::ffi::c_void,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; experimental 0.2] Which row of the file row `index` of the table is, counted from 0 without the header: the same
 number unless rows were left out. -1 when out of range.
```*/
    pub fn nf_table_row(t: *const nf_table, index: i64) -> i64;
    /**```text
[shared; experimental 0.2] The line of a text file where row `index` of the table starts, counted from 1; 0 for other
 files, or when out of range.
```*/
    pub fn nf_table_line(t: *const nf_table, index: i64) -> i64;
    /**```text
[shared; experimental 0.2] The text in column "table.id" of row `index`; NULL without that option, or out of range.
```*/
    pub fn nf_table_row_id(t: *const nf_table, index: i64) -> *const ::core::ffi::c_char;
    /**```text
[shared; stable 0.2] 1 if the rows are used in place ("table.map"), otherwise 0.
```*/
    pub fn nf_table_is_mapped(t: *const nf_table) -> i32;
    /**```text
[shared; stable 0.1] The whole table [rows, columns], borrowed.
```*/
    pub fn nf_table_view(
        t: *const nf_table,
        out: *mut nf_view,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; experimental 0.2] The extents of the array in the file: [n, height, width, channels] of a .npy of rank 4,
 [rows, columns] of a CSV file; with option "table.columns" those of the view. Returns their number, at most NF_MAX_RANK,
 and writes them to `shape` unless it is NULL. 0 if t is NULL.
```*/
    pub fn nf_table_shape(t: *const nf_table, shape: *mut i64) -> i32;
    /**```text
[shared; stable 0.1] Name of column `index`: "" if the file has no header, NULL when out of range.
```*/
    pub fn nf_table_column(t: *const nf_table, index: i64) -> *const ::core::ffi::c_char;
    /**```text
[any; stable 0.1] Writes a view as .npy (rank 1 to 4) or .csv (rank 1 or 2), chosen by the path's extension, atomically. columns: names
 of the columns for the header of a .csv, or NULL; nf_table_open finds them again, whatever characters they have.
```*/
    pub fn nf_table_save(
        v: *const nf_view,
        path: *const ::core::ffi::c_char,
        columns: *const *const ::core::ffi::c_char,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_table_free(t: *mut nf_table);
    /**```text
[excl on m; experimental 0.2] Keeps quantiles of the scores of rows, usually log_prob [n] of all training rows, in note
 "score_quantiles" of the model, from which the functions below read them, also after the model was saved and loaded.
 Errors: ARGUMENT (no row), NUMERIC (a score is NaN or +infinity; -infinity is a score).
```*/
    pub fn nf_model_set_scores(
        m: *mut nf_model,
        log_prob: *const nf_view,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; experimental 0.2] The score below which a fraction p of these rows is, 0 <= p <= 1, interpolated between kept
 quantiles; rows below the 0.01 quantile are rarer than all but 1 % of the training rows. Errors: ARGUMENT (p), STATE (the
 model has no such scores, or its parameters changed since).
```*/
    pub fn nf_model_score_quantile(
        m: *const nf_model,
        p: f64,
        score: *mut f64,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; experimental 0.2] The reverse: for each score [n] the fraction of those rows with a lower one, in [0, 1]. NaN for
 NaN. Errors: as above, SHAPE.
```*/
    pub fn nf_model_score_rank(
        m: *const nf_model,
        log_prob: *const nf_view,
        rank: *const nf_out,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[any; stable 0.2] Creates mini-batches of rows that the caller holds and must keep alive longer; every stream of `rows`
 that is given is in the batches. Options "batches.batch", ".seed", ".order" = "shuffle" (epochs) | "replacement" |
 "sequential" | "blocks" (epochs that read runs of "batches.block" consecutive rows, shuffled within windows of 16 runs, for
 mapped tables). Batch k is a pure function of the options and k, so a resumed run sees the same data.
 "batches.part_begin" and ".part_end" restrict the batches to a fraction of the blocks, in an order drawn from
 ".part_seed"; disjoint ranges share no row. Views of mapped tables keep the tables alive, and pages already read are
 released.
```*/
    pub fn nf_batches_create(
        rt: *mut nf_runtime,
        rows: *const nf_batch,
        options: *const nf_options,
        out: *mut *mut nf_batches,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; stable 0.1]
```*/
    pub fn nf_batches_per_epoch(b: *const nf_batches) -> u64;
    /**```text
[excl; stable 0.2] Fills in batch number `step`, borrowed until the next call.
```*/
    pub fn nf_batches_get(
        b: *mut nf_batches,
        step: u64,
        batch: *mut nf_batch,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[shared; experimental 0.2] Which row of the data row `index` of the last batch is, from 0; -1 when out of range.
```*/
    pub fn nf_batches_row(b: *const nf_batches, index: i64) -> i64;
    /**```text
[shared; stable 0.1] Makes a source for nf_train_run that reads `b`; using the source is [excl] on `b`.
```*/
    pub fn nf_batches_source(
        b: *mut nf_batches,
        out: *mut nf_source,
        err: *mut nf_error,
    ) -> nf_status;
    /**```text
[excl; stable 0.1]
```*/
    pub fn nf_batches_free(b: *mut nf_batches);
}
