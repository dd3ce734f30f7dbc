// libnf for Rust with std only: the declarations of nf.h that train.rs uses, and safe handles for them, as a starting
// point for a binding. Handle frees what it owns, Error carries status and message, data are slices of f32.
use std::ffi::{c_char, c_void, CStr, CString};
use std::ptr::{null, null_mut};

#[repr(C)]
struct NfError { struct_size: u32, code: i32, os_errno: i32, layer: i32, row: i64, message: [c_char; 488] }
#[repr(C)]
struct NfView { struct_size: u32, dtype: i32, ndim: i32, flags: i32, data: *const c_void, shape: [i64; 8], strides: [i64; 8] }
// The same, to be written.
#[repr(C)]
struct NfOut { struct_size: u32, dtype: i32, ndim: i32, flags: i32, data: *mut c_void, shape: [i64; 8], strides: [i64; 8] }
#[repr(C)]
struct NfBatch { struct_size: u32, reserved: u32, x: *const NfView, ctx: *const NfView, weight: *const NfView, scores: *const NfView }
#[repr(C)]
struct NfSampling { struct_size: u32, reserved: u32, seed: u64, first_index: u64, repeat: i64, temperature: f64 }
#[repr(C)]
#[derive(Default)]
pub struct StepInfo { struct_size: u32, reserved: u32, pub step: u64, pub loss: f64, pub loss_error: f64, pub grad_norm: f64, pub lr: f64, pub seconds: f64 }

const NF_VERSION: u32 = 200;
const NF_F32: i32 = 1;

extern "C" {
    fn nf_status_name(status: i32) -> *const c_char;
    fn nf_options_create(out: *mut *mut c_void, err: *mut NfError) -> i32;
    fn nf_options_set(o: *mut c_void, key: *const c_char, value: *const c_char, err: *mut NfError) -> i32;
    fn nf_options_free(o: *mut c_void);
    fn nf_runtime_create_v(version: u32, options: *const c_void, allocator: *const c_void, executor: *const c_void,
        log: *const c_void, log_user: *mut c_void, out: *mut *mut c_void, err: *mut NfError) -> i32;
    fn nf_runtime_free(rt: *mut c_void);
    fn nf_model_create(rt: *mut c_void, spec: *const c_char, spec_len: usize, seed: u64, out: *mut *mut c_void, err: *mut NfError) -> i32;
    fn nf_model_load(rt: *mut c_void, path: *const c_char, limits: *const c_void, out: *mut *mut c_void, err: *mut NfError) -> i32;
    fn nf_model_save(m: *const c_void, path: *const c_char, err: *mut NfError) -> i32;
    fn nf_model_free(m: *mut c_void);
    fn nf_session_create(m: *mut c_void, options: *const c_void, out: *mut *mut c_void, err: *mut NfError) -> i32;
    fn nf_session_free(s: *mut c_void);
    fn nf_log_prob(s: *mut c_void, x: *const NfView, ctx: *const NfView, log_prob: *const NfOut, err: *mut NfError) -> i32;
    fn nf_sample(s: *mut c_void, how: *const NfSampling, ctx: *const NfView, out: *const NfOut, log_prob: *const NfOut, err: *mut NfError) -> i32;
    fn nf_trainer_create(m: *mut c_void, options: *const c_void, c: *const c_void, out: *mut *mut c_void, err: *mut NfError) -> i32;
    fn nf_train_step(t: *mut c_void, batch: *const NfBatch, info: *mut StepInfo, err: *mut NfError) -> i32;
    fn nf_trainer_free(t: *mut c_void);
}

#[derive(Debug)]
pub struct Error { pub status: i32, pub message: String }
impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let name = unsafe { CStr::from_ptr(nf_status_name(self.status)) };
        write!(f, "{}: {}", name.to_string_lossy(), self.message)
    }
}
impl std::error::Error for Error {}
pub type Result<T> = std::result::Result<T, Error>;

// Makes one call with a fresh error; its status becomes a Result.
fn check(call: impl FnOnce(*mut NfError) -> i32) -> Result<()> {
    let mut e = NfError { struct_size: size_of::<NfError>(), code: 0, os_errno: 0, layer: -1, row: -1, message: [0; 488] };
    match call(&mut e) {
        0 => Ok(()),
        status => Err(Error { status, message: unsafe { CStr::from_ptr(e.message.as_ptr()) }.to_string_lossy().into_owned() }),
    }
}

// Owns one handle. Handles keep alive what they were created from, so there are no lifetimes to track.
struct Handle { p: *mut c_void, free: unsafe extern "C" fn(*mut c_void) }
impl Handle {
    fn make(free: unsafe extern "C" fn(*mut c_void), call: impl FnOnce(*mut *mut c_void, *mut NfError) -> i32) -> Result<Handle> {
        let mut p = null_mut();
        check(|e| call(&mut p, e))?;
        Ok(Handle { p, free })
    }
}
impl Drop for Handle {
    fn drop(&mut self) { unsafe { (self.free)(self.p) } }
}

fn c(s: &str) -> Result<CString> {
    CString::new(s).map_err(|_| Error { status: 1, message: "the string contains a NUL character".into() })
}

fn size_of<T>() -> u32 { std::mem::size_of::<T>() as u32 }

// Rows of `cols` numbers, or a vector if cols is 0: rank and extents.
fn extents(len: usize, cols: usize) -> (i32, [i64; 8]) {
    let mut shape = [0; 8];
    if cols == 0 { shape[0] = len as i64; return (1, shape); }
    shape[0] = (len / cols) as i64;
    shape[1] = cols as i64;
    (2, shape)
}
fn view(data: &[f32], cols: usize) -> NfView {
    let (ndim, shape) = extents(data.len(), cols);
    NfView { struct_size: size_of::<NfView>(), dtype: NF_F32, ndim, flags: 0, data: data.as_ptr().cast(), shape, strides: [0; 8] }
}
fn out_view(data: &mut [f32], cols: usize) -> NfOut {
    let (ndim, shape) = extents(data.len(), cols);
    NfOut { struct_size: size_of::<NfOut>(), dtype: NF_F32, ndim, flags: 0, data: data.as_mut_ptr().cast(), shape, strides: [0; 8] }
}

pub struct Runtime(Handle);
impl Runtime {
    pub fn new() -> Result<Runtime> {
        Handle::make(nf_runtime_free, |out, e| unsafe {
            nf_runtime_create_v(NF_VERSION, null(), null(), null(), null(), null_mut(), out, e)
        }).map(Runtime)
    }
}

pub struct Model(Handle);
impl Model {
    pub fn new(rt: &Runtime, spec: &str, seed: u64) -> Result<Model> {
        Handle::make(nf_model_free, |out, e| unsafe { nf_model_create(rt.0.p, spec.as_ptr().cast(), spec.len(), seed, out, e) }).map(Model)
    }
    pub fn load(rt: &Runtime, path: &str) -> Result<Model> {
        let path = c(path)?;
        Handle::make(nf_model_free, |out, e| unsafe { nf_model_load(rt.0.p, path.as_ptr(), null(), out, e) }).map(Model)
    }
    pub fn save(&self, path: &str) -> Result<()> {
        let path = c(path)?;
        check(|e| unsafe { nf_model_save(self.0.p, path.as_ptr(), e) })
    }
}

pub struct Session(Handle);
impl Session {
    pub fn new(m: &Model) -> Result<Session> {
        Handle::make(nf_session_free, |out, e| unsafe { nf_session_create(m.0.p, null(), out, e) }).map(Session)
    }
    pub fn log_prob(&mut self, x: &[f32], cols: usize) -> Result<Vec<f32>> {
        let mut out = vec![0f32; x.len() / cols];
        let (vx, vo) = (view(x, cols), out_view(&mut out, 0));
        check(|e| unsafe { nf_log_prob(self.0.p, &vx, null(), &vo, e) })?;
        Ok(out)
    }
    pub fn sample(&mut self, seed: u64, first: u64, rows: usize, cols: usize) -> Result<Vec<f32>> {
        let mut out = vec![0f32; rows * cols];
        let v = out_view(&mut out, cols);
        let how = NfSampling { struct_size: size_of::<NfSampling>(), reserved: 0, seed, first_index: first, repeat: 0, temperature: 0.0 };
        check(|e| unsafe { nf_sample(self.0.p, &how, null(), &v, null(), e) })?;
        Ok(out)
    }
}

pub struct Trainer(Handle);
impl Trainer {
    pub fn new(m: &Model, options: &[(&str, &str)]) -> Result<Trainer> {
        let bag = Handle::make(nf_options_free, |out, e| unsafe { nf_options_create(out, e) })?;
        for (key, value) in options {
            let (key, value) = (c(key)?, c(value)?);
            check(|e| unsafe { nf_options_set(bag.p, key.as_ptr(), value.as_ptr(), e) })?;
        }
        Handle::make(nf_trainer_free, |out, e| unsafe { nf_trainer_create(m.0.p, bag.p, null(), out, e) }).map(Trainer)
    }
    pub fn step(&mut self, x: &[f32], cols: usize) -> Result<StepInfo> {
        let v = view(x, cols);
        let batch = NfBatch { struct_size: size_of::<NfBatch>(), reserved: 0, x: &v, ctx: null(), weight: null(), scores: null() };
        let mut info = StepInfo { struct_size: size_of::<StepInfo>(), ..Default::default() };
        check(|e| unsafe { nf_train_step(self.0.p, &batch, &mut info, e) })?;
        Ok(info)
    }
}
