//! Errors, and the one way in which this crate calls libnf.
use std::ffi::{c_char, CStr};
use std::fmt;
use std::io;
use std::ptr::NonNull;

use nf_sys as sys;

/// What is known about an error beside its kind.
#[derive(Debug, Default)]
pub struct Detail {
    /// What is wrong, where, and what would be right.
    pub message: String,
    /// The first row at fault of the batch that the call was given.
    pub row: Option<u64>,
    /// The layer at fault, an index for [`Model::layer`](crate::Model::layer).
    pub layer: Option<u64>,
    /// The error of the operating system, or of the reader or writer that was given.
    pub source: Option<io::Error>,
}

macro_rules! kinds {
    ($($kind:ident = $code:ident, $doc:literal;)*) => {
        /// Why a call failed. Each kind is a status of `nf.h`.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Error {
            $(#[doc = $doc] $kind(Box<Detail>),)*
            /// A status that this version of the crate does not know.
            Other(i32, Box<Detail>),
        }
        impl Error {
            pub(crate) fn new(status: sys::nf_status, detail: Detail) -> Self {
                let detail = Box::new(detail);
                $(if status == sys::$code as sys::nf_status { return Error::$kind(detail); })*
                Error::Other(status, detail)
            }
            /// The number of the status in `nf.h`.
            pub fn status(&self) -> i32 {
                match self {
                    $(Error::$kind(_) => sys::$code as i32,)*
                    Error::Other(status, _) => *status,
                }
            }
            /// Message, row and layer.
            pub fn detail(&self) -> &Detail {
                match self {
                    $(Error::$kind(d))|* => d,
                    Error::Other(_, d) => d,
                }
            }
            fn detail_mut(&mut self) -> &mut Detail {
                match self {
                    $(Error::$kind(d))|* => d,
                    Error::Other(_, d) => d,
                }
            }
        }
    };
}

kinds! {
    Argument = NF_ERR_ARGUMENT, "A bad flag, index, name or text.";
    State = NF_ERR_STATE, "A valid call at the wrong time.";
    Shape = NF_ERR_SHAPE, "The type, rank or extents of a view are wrong.";
    Spec = NF_ERR_SPEC, "The spec of a model or an option is invalid.";
    OutOfMemory = NF_ERR_NOMEM, "The allocator refused, or a limit was reached.";
    Io = NF_ERR_IO, "An error of the operating system, or of a reader or writer.";
    Format = NF_ERR_FORMAT, "The file is not in the expected format.";
    Checksum = NF_ERR_CHECKSUM, "The file is well formed, but its content changed.";
    Version = NF_ERR_VERSION, "The file or the header is newer than the library.";
    Numeric = NF_ERR_NUMERIC, "NaN or infinity in a loss, gradient or parameter.";
    NotInverted = NF_ERR_NOT_INVERTED, "A numerical inverse missed its tolerance.";
    Cancelled = NF_ERR_CANCELLED, "A callback asked to stop.";
    Callback = NF_ERR_CALLBACK, "A callback failed.";
    Unsupported = NF_ERR_UNSUPPORTED, "Not possible in this configuration.";
    Internal = NF_ERR_INTERNAL, "A bug in libnf: please report it.";
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What is wrong, where, and what would be right.
    pub fn message(&self) -> &str {
        &self.detail().message
    }
    /// The first row at fault of the batch that the call was given.
    pub fn row(&self) -> Option<u64> {
        self.detail().row
    }
    /// The layer at fault, an index for [`Model::layer`](crate::Model::layer).
    pub fn layer(&self) -> Option<u64> {
        self.detail().layer
    }
    fn plain(status: u32, message: String) -> Self {
        Error::new(status as sys::nf_status, Detail { message, ..Detail::default() })
    }
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Error::plain(sys::NF_ERR_ARGUMENT, message.into())
    }
    pub(crate) fn shape(message: impl Into<String>) -> Self {
        Error::plain(sys::NF_ERR_SHAPE, message.into())
    }
    pub(crate) fn io(source: io::Error) -> Self {
        let mut e = Error::plain(sys::NF_ERR_IO, source.to_string());
        e.detail_mut().source = Some(source);
        e
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: returns a static string for every number.
        let name = unsafe { CStr::from_ptr(sys::nf_status_name(self.status())) };
        write!(f, "{}: {}", name.to_string_lossy(), self.message())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.detail().source.as_ref().map(|e| e as _)
    }
}

impl From<Error> for io::Error {
    fn from(mut e: Error) -> Self {
        match e.detail_mut().source.take() {
            Some(source) => source,
            None => io::Error::other(e),
        }
    }
}

#[cold]
#[inline(never)]
unsafe fn failed(status: sys::nf_status, raw: *const sys::nf_error) -> Error {
    // SAFETY: libnf fills in the fields of an error and terminates the message.
    let (message, row, layer, os_errno) =
        unsafe { (CStr::from_ptr((*raw).message.as_ptr()), (*raw).row, (*raw).layer, (*raw).os_errno) };
    Error::new(
        status,
        Detail {
            message: message.to_string_lossy().into_owned(),
            row: u64::try_from(row).ok(),
            layer: u64::try_from(layer).ok(),
            source: (os_errno != 0).then(|| io::Error::from_raw_os_error(os_errno)),
        },
    )
}

/// Makes one call with a fresh nf_error. `after` runs before a panic that a callback raised during the call goes on.
#[inline]
fn check_and(call: impl FnOnce(*mut sys::nf_error) -> sys::nf_status, after: impl FnOnce()) -> Result<()> {
    let mut raw = std::mem::MaybeUninit::<sys::nf_error>::uninit();
    let p = raw.as_mut_ptr();
    // libnf reads only struct_size (R3); the other 500 bytes need not be set for calls that succeed.
    // SAFETY: p points to an nf_error.
    unsafe { (*p).struct_size = std::mem::size_of::<sys::nf_error>() as u32 };
    let status = call(p);
    if crate::callback::panicked() {
        after();
        crate::callback::resume();
    }
    if status == sys::NF_OK as sys::nf_status {
        return Ok(());
    }
    // SAFETY: libnf has filled it in.
    Err(unsafe { failed(status, p) })
}
/// Makes one call. A panic that a callback raised during the call goes on here.
#[inline]
pub(crate) fn check(call: impl FnOnce(*mut sys::nf_error) -> sys::nf_status) -> Result<()> {
    check_and(call, || ())
}

/// Calls a function that creates a handle, which `free` frees.
pub(crate) fn create<T>(
    free: unsafe extern "C" fn(*mut T), call: impl FnOnce(*mut *mut T, *mut sys::nf_error) -> sys::nf_status,
) -> Result<NonNull<T>> {
    let out = std::cell::Cell::new(std::ptr::null_mut());
    // SAFETY: NULL or a handle that nobody has seen.
    check_and(|e| call(out.as_ptr(), e), || unsafe { free(out.get()) })?;
    Ok(NonNull::new(out.get()).expect("a handle without an error"))
}

/// The text behind a pointer that may be NULL.
///
/// # Safety
/// It is NUL-terminated and lives as long as the result is used.
pub(crate) unsafe fn text<'a>(p: *const c_char) -> Option<&'a str> {
    // libnf promises UTF-8; a name in a file that is not would be refused when it is read.
    (!p.is_null()).then(|| unsafe { CStr::from_ptr(p) }.to_str().unwrap_or(""))
}

/// A text for C.
pub(crate) fn c_text(s: &str) -> Result<std::ffi::CString> {
    std::ffi::CString::new(s).map_err(|_| Error::argument(format!("the text {s:?} contains a NUL character")))
}

/// A path for C.
pub(crate) fn c_path(path: &std::path::Path) -> Result<std::ffi::CString> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        std::ffi::CString::new(path.as_os_str().as_bytes())
            .map_err(|_| Error::argument(format!("the path {path:?} contains a NUL character")))
    }
    #[cfg(not(unix))]
    c_text(path.to_str().ok_or_else(|| Error::argument(format!("the path {path:?} is not Unicode")))?)
}
