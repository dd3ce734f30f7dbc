//! Closures that libnf calls. They run on the thread that entered libnf, and must not unwind through it: a panic is caught
//! here, the call fails, and the panic goes on when the call has returned.
use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_void;
use std::io::Write;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

use nf_sys as sys;

use crate::error::{check, Error, Result};

thread_local! {
    static PANIC: RefCell<Option<Box<dyn Any + Send>>> = const { RefCell::new(None) };
}

/// Runs a callback. After a panic the result is `failed`; the first panic of a call is kept.
pub(crate) fn guard<R>(failed: R, body: impl FnOnce() -> R) -> R {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(r) => r,
        Err(payload) => {
            let _ = PANIC.try_with(|p| {
                p.borrow_mut().get_or_insert(payload);
            });
            failed
        }
    }
}

/// Whether a callback has panicked since the last [`resume`].
#[inline]
pub(crate) fn panicked() -> bool {
    // A call from the destructor of another thread-local value may find this one gone: no callback can have stored there.
    PANIC.try_with(|p| p.borrow().is_some()).unwrap_or(false)
}
/// Lets the panic of a callback go on.
#[cold]
pub(crate) fn resume() {
    if let Some(payload) = PANIC.with(|p| p.borrow_mut().take()) {
        // While another panic unwinds, a second one would abort.
        if !std::thread::panicking() {
            resume_unwind(payload);
        }
    }
}

struct Sink<'a> {
    out: &'a mut dyn Write,
    error: Option<std::io::Error>,
}

unsafe extern "C" fn write(user: *mut c_void, bytes: *const c_void, n: usize) -> i32 {
    guard(1, || {
        // SAFETY: user is the sink of `written`, and bytes has n bytes.
        let (sink, bytes) = unsafe { (&mut *user.cast::<Sink>(), slice(bytes.cast::<u8>(), n)) };
        match sink.out.write_all(bytes) {
            Ok(()) => 0,
            Err(e) => {
                sink.error = Some(e);
                1
            }
        }
    })
}

/// A slice that may have no memory if it is empty.
///
/// # Safety
/// As of `slice::from_raw_parts`, but for that.
pub(crate) unsafe fn slice<'a, T>(p: *const T, n: usize) -> &'a [T] {
    if n == 0 {
        &[]
    } else {
        unsafe { std::slice::from_raw_parts(p, n) }
    }
}

/// Calls a function that writes a text or a file.
pub(crate) fn written(
    out: &mut dyn Write, call: impl FnOnce(sys::nf_write_fn, *mut c_void, *mut sys::nf_error) -> sys::nf_status,
) -> Result<()> {
    let mut sink = Sink { out, error: None };
    let done = check(|e| call(Some(write), (&mut sink as *mut Sink).cast(), e));
    match sink.error {
        Some(source) if done.is_err() => Err(Error::io(source)),
        _ => done,
    }
}

/// The same for a text.
pub(crate) fn written_text(
    call: impl FnOnce(sys::nf_write_fn, *mut c_void, *mut sys::nf_error) -> sys::nf_status,
) -> Result<String> {
    let mut bytes = Vec::new();
    written(&mut bytes, call)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}
