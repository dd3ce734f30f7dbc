//! Options: all configuration that is not in the spec.
use std::ptr::NonNull;

use nf_sys as sys;

use crate::callback::written_text;
use crate::error::{c_text, check, create, Result};

/// Typed keys and values. [`describe_options`](crate::describe_options) lists the keys. A call that is given a key of a scope
/// that it does not read fails, because it would have no effect.
///
/// ```
/// # use libnf::{options, Options};
/// let short = options! { "trainer.lr" => 1e-3, "batches.batch" => 512, "trainer.optimizer" => "adam" }?;
/// let mut same = Options::new()?;
/// same.set("trainer.lr", 1e-3)?;
/// same.parse("batches.batch", "512")?.parse("trainer.optimizer", "adam")?;
/// assert_eq!(short.to_json()?, same.to_json()?);
/// # Ok::<(), libnf::Error>(())
/// ```
#[derive(Debug)]
pub struct Options(NonNull<sys::nf_options>);
// SAFETY: no call depends on the thread; setting needs &mut.
unsafe impl Send for Options {}
// SAFETY: reading is [shared].
unsafe impl Sync for Options {}

impl Options {
    /// An empty set: every option has its default.
    pub fn new() -> Result<Self> {
        // SAFETY: out and err are valid.
        create(sys::nf_options_free, |out, e| unsafe { sys::nf_options_create(out, e) }).map(Options)
    }
    /// Sets one option. The message of an unknown key names the nearest one.
    pub fn set<'v>(&mut self, key: &str, value: impl Into<OptionValue<'v>>) -> Result<&mut Self> {
        let (key, o) = (c_text(key)?, self.0.as_ptr());
        match value.into() {
            // SAFETY: here and below, texts are terminated and the handle is ours.
            OptionValue::Integer(v) => check(|e| unsafe { sys::nf_options_set_i64(o, key.as_ptr(), v, e) })?,
            OptionValue::Number(v) => check(|e| unsafe { sys::nf_options_set_f64(o, key.as_ptr(), v, e) })?,
            OptionValue::Text(v) => {
                let v = c_text(v)?;
                check(|e| unsafe { sys::nf_options_set_str(o, key.as_ptr(), v.as_ptr(), e) })?;
            }
            OptionValue::Parsed(v) => return self.parse(key.to_str().unwrap_or_default(), &v),
        }
        Ok(self)
    }
    /// Parses `value` according to the type of the option, for command lines and configuration files.
    pub fn parse(&mut self, key: &str, value: &str) -> Result<&mut Self> {
        let (key, value) = (c_text(key)?, c_text(value)?);
        // SAFETY: as above.
        check(|e| unsafe { sys::nf_options_set(self.0.as_ptr(), key.as_ptr(), value.as_ptr(), e) })?;
        Ok(self)
    }
    /// The options that were set, `{"trainer.lr": 0.001, ...}`.
    pub fn to_json(&self) -> Result<String> {
        // SAFETY: as above.
        written_text(|write, user, e| unsafe { sys::nf_options_json(self.0.as_ptr(), write, user, e) })
    }
}
impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { sys::nf_options_free(self.0.as_ptr()) }
    }
}
/// The handle of options that may be missing.
pub(crate) fn raw(o: Option<&Options>) -> *const sys::nf_options {
    o.map_or(std::ptr::null(), |o| o.0.as_ptr())
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq)]
pub enum OptionValue<'v> {
    /// Exact in 64 bits; also for options that are numbers.
    Integer(i64),
    /// A floating-point number.
    Number(f64),
    /// A text or a choice.
    Text(&'v str),
    /// Parsed according to the type of the option.
    Parsed(String),
}
macro_rules! integers {
    ($($t:ty)*) => {$(
        impl From<$t> for OptionValue<'_> {
            fn from(v: $t) -> Self {
                i64::try_from(v).map_or_else(|_| OptionValue::Parsed(v.to_string()), OptionValue::Integer)
            }
        }
    )*};
}
integers!(i32 i64 u32 u64 usize);
impl From<f64> for OptionValue<'_> {
    fn from(v: f64) -> Self {
        OptionValue::Number(v)
    }
}
impl From<bool> for OptionValue<'_> {
    fn from(v: bool) -> Self {
        OptionValue::Parsed(v.to_string())
    }
}
impl<'v> From<&'v str> for OptionValue<'v> {
    fn from(v: &'v str) -> Self {
        OptionValue::Text(v)
    }
}
impl<'v> From<&'v String> for OptionValue<'v> {
    fn from(v: &'v String) -> Self {
        OptionValue::Text(v)
    }
}

/// Makes [`Options`] from keys and values: `options! { "trainer.lr" => 1e-3 }?`.
#[macro_export]
macro_rules! options {
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::Options::new().and_then(|mut o| {
            $(o.set($key, $value)?;)*
            Ok::<$crate::Options, $crate::Error>(o)
        })
    };
}
