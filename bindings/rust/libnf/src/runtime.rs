//! The runtime: threads, memory and log of the host.
use std::ffi::{c_char, c_void};
use std::fmt;
use std::ptr::{null, null_mut, NonNull};
use std::sync::Arc;

use nf_sys as sys;

use crate::callback::guard;
use crate::error::{create, text, Result};
use crate::options::{self, Options};

/// How important a note of the library is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What the library chose to do.
    Info,
    /// Something to look at.
    Warning,
}

/// Memory of the host for parameters, optimizer state, scratch memory and rows.
///
/// # Safety
/// `alloc` returns memory of that size and alignment that nobody else uses until `free` is called for it, or null.
pub unsafe trait Allocator: Send + Sync + 'static {
    /// Returns memory, or null if there is none. `size` is above 0 and `align` a power of two, at most 64.
    fn alloc(&self, size: usize, align: usize) -> *mut u8;
    /// Frees what `alloc` returned for the same size and alignment.
    ///
    /// # Safety
    /// `p` is from `alloc` and not used any more.
    unsafe fn free(&self, p: *mut u8, size: usize, align: usize);
}

/// A thread pool of the host. Several threads may call it at the same time.
///
/// # Safety
/// `parallel_for` has run the body exactly once for every number below `n` when it returns.
pub unsafe trait Executor: Send + Sync + 'static {
    /// The most bodies that run at once, at least 1.
    fn concurrency(&self) -> u32;
    /// Runs `body(i)` once for every `i < n` on any threads in any order, and returns when all have returned.
    fn parallel_for(&self, n: u32, body: &(dyn Fn(u32) + Sync));
}

type Log = dyn Fn(Level, &str) + Send + Sync;

/// What the runtime was given; lives until the last handle of the runtime is gone.
#[derive(Default)]
struct Host {
    allocator: Option<Box<dyn Allocator>>,
    executor: Option<Box<dyn Executor>>,
    log: Option<Box<Log>>,
}

struct Inner {
    raw: NonNull<sys::nf_runtime>,
    _host: Box<Host>,
}
// SAFETY: everything that takes a runtime is [any]; what the host gave is Send and Sync.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}
impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { sys::nf_runtime_free(self.raw.as_ptr()) }
    }
}

/// Threads, memory and log that models, tables, targets and batches are created with. What is created without one has a
/// default runtime of its own: one thread per core. Results never depend on the number of threads. Cloning is cheap and gives
/// the same runtime.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);
impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Runtime")
    }
}

impl Runtime {
    /// One thread per core.
    pub fn new() -> Result<Self> {
        Self::builder().build(None)
    }
    /// That many threads. A server with a thread per request wants 1.
    pub fn with_threads(threads: usize) -> Result<Self> {
        Self::builder().build(Some(&crate::options! { "runtime.threads" => threads }?))
    }
    /// For a log, an allocator or a thread pool of the host.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder(Host::default())
    }
    pub(crate) fn raw(&self) -> *mut sys::nf_runtime {
        self.0.raw.as_ptr()
    }
}
/// The handle of a runtime that may be missing.
pub(crate) fn raw(rt: Option<&Runtime>) -> *mut sys::nf_runtime {
    rt.map_or(null_mut(), Runtime::raw)
}

/// Collects what a [`Runtime`] gets from the host.
#[derive(Default)]
pub struct RuntimeBuilder(Host);
impl fmt::Debug for RuntimeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RuntimeBuilder")
    }
}
impl RuntimeBuilder {
    /// Receives notes on what the library chose to do; none of them is an error.
    pub fn log(mut self, log: impl Fn(Level, &str) + Send + Sync + 'static) -> Self {
        self.0.log = Some(Box::new(log));
        self
    }
    /// Takes memory from the host.
    pub fn allocator(mut self, allocator: impl Allocator) -> Self {
        self.0.allocator = Some(Box::new(allocator));
        self
    }
    /// Runs on threads of the host.
    pub fn executor(mut self, executor: impl Executor) -> Self {
        self.0.executor = Some(Box::new(executor));
        self
    }
    /// Creates the runtime. Options of scope "runtime".
    pub fn build(self, options: Option<&Options>) -> Result<Runtime> {
        let host = Box::new(self.0);
        let user = (&*host as *const Host).cast_mut().cast::<c_void>();
        let mut allocator = sys::nf_allocator::INIT;
        allocator.user = user;
        allocator.alloc = Some(alloc);
        allocator.free = Some(free);
        let mut executor = sys::nf_executor::INIT;
        executor.user = user;
        executor.parallel_for = Some(parallel_for);
        executor.concurrency = host.executor.as_ref().map_or(0, |e| e.concurrency());
        // SAFETY: the tables are copied, and the host lives as long as the handle: Inner frees that first.
        let raw = create(sys::nf_runtime_free, |out, e| unsafe {
            sys::nf_runtime_create_v(
                sys::NF_VERSION as u32,
                options::raw(options),
                host.allocator.as_ref().map_or(null(), |_| &allocator),
                host.executor.as_ref().map_or(null(), |_| &executor),
                host.log.as_ref().and(Some(log as unsafe extern "C" fn(*mut c_void, i32, *const c_char))),
                user,
                out,
                e,
            )
        })?;
        Ok(Runtime(Arc::new(Inner { raw, _host: host })))
    }
}

/// Ends the process when a hook of the host panics that has no way to report it.
fn no_panic<R>(what: &str, body: impl FnOnce() -> R) -> R {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
        Ok(r) => r,
        Err(_) => {
            eprintln!("libnf: the {what} of the host panicked");
            std::process::abort()
        }
    }
}

// SAFETY of all four: user is the Host of the builder.
unsafe extern "C" fn alloc(user: *mut c_void, size: usize, align: usize) -> *mut c_void {
    let host = unsafe { &*user.cast::<Host>() };
    no_panic("allocator", || host.allocator.as_ref().map_or(null_mut(), |a| a.alloc(size, align).cast()))
}
unsafe extern "C" fn free(user: *mut c_void, p: *mut c_void, size: usize, align: usize) {
    let host = unsafe { &*user.cast::<Host>() };
    no_panic("allocator", || {
        if let Some(a) = &host.allocator {
            unsafe { a.free(p.cast(), size, align) }
        }
    });
}
unsafe extern "C" fn parallel_for(
    user: *mut c_void, n: u32, body: Option<unsafe extern "C" fn(*mut c_void, u32)>, context: *mut c_void,
) {
    struct Shared(*mut c_void);
    // SAFETY: libnf expects bodies to run on several threads.
    unsafe impl Sync for Shared {}
    impl Shared {
        fn get(&self) -> *mut c_void {
            self.0
        }
    }
    let (host, context) = (unsafe { &*user.cast::<Host>() }, Shared(context));
    no_panic("executor", || {
        if let (Some(executor), Some(body)) = (&host.executor, body) {
            // SAFETY: as libnf asks.
            executor.parallel_for(n, &|i| unsafe { body(context.get(), i) });
        }
    });
}
unsafe extern "C" fn log(user: *mut c_void, level: i32, message: *const c_char) {
    guard((), || {
        let (host, message) = unsafe { (&*user.cast::<Host>(), text(message)) };
        if let (Some(log), Some(message)) = (&host.log, message) {
            log(if level == 0 { Level::Info } else { Level::Warning }, message);
        }
    });
}
