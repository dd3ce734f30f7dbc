//! Specs as Rust values (feature `spec`). A spec is data: names of layers and their fields are those of
//! [`describe_parts`](crate::describe_parts), so a new kind of layer needs no new version of this crate.
//!
//! ```
//! # use libnf::{spec::{chain, Layer, Spec}, Model};
//! let spec = Spec::new(2).layer(Layer::new("standardize")).layer(chain([
//!     Layer::new("affine_coupling").field("net", Layer::new("mlp").field("hidden", [32, 32])),
//!     Layer::new("reverse"),
//! ]).repeat(4));
//! let model = Model::from_spec(&spec, 1)?;
//! assert_eq!(model.info()?.layer_count, 9);
//! // Specs read back.
//! let canonical: Spec = serde_json::from_str(model.spec()).unwrap();
//! assert_eq!(canonical.event, [2]);
//! # Ok::<(), libnf::Error>(())
//! ```
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A number of columns, or `[height, width, channels]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Extents(pub Vec<usize>);
impl<'de> Deserialize<'de> for Extents {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            One(usize),
            List(Vec<usize>),
        }
        Ok(match Either::deserialize(d)? {
            Either::One(n) => Extents(vec![n]),
            Either::List(list) => Extents(list),
        })
    }
}
impl From<usize> for Extents {
    fn from(n: usize) -> Self {
        Extents(vec![n])
    }
}
impl<const N: usize> From<[usize; N]> for Extents {
    fn from(shape: [usize; N]) -> Self {
        Extents(shape.to_vec())
    }
}
impl<const N: usize> PartialEq<[usize; N]> for Extents {
    fn eq(&self, other: &[usize; N]) -> bool {
        self.0 == other
    }
}

/// The spec of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The shape of x.
    pub event: Extents,
    /// The shape of the context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Extents>,
    /// The chain from x to z.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
    /// Every other field: "dtype", "base", "kind", ...
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}
impl Spec {
    /// Of rows with that shape.
    pub fn new(event: impl Into<Extents>) -> Self {
        Self { event: event.into(), ..Self::default() }
    }
    /// With a context of that shape.
    pub fn context(mut self, context: impl Into<Extents>) -> Self {
        self.context = Some(context.into());
        self
    }
    /// In float64.
    pub fn float64(self) -> Self {
        self.field("dtype", "float64")
    }
    /// Sets a field, to a value or a part.
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }
    /// Appends a layer or a chain.
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }
    /// As JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("maps with text keys serialize")
    }
}

/// A layer, a chain, or another part with a type and fields: a net, a base, a likelihood.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Layer(pub Map<String, Value>);
impl Layer {
    /// A part of that type.
    pub fn new(kind: &str) -> Self {
        Self::default().field("type", kind)
    }
    /// Sets a field, to a value or a part.
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }
    /// That many copies, each with its own parameters.
    pub fn repeat(self, n: usize) -> Self {
        self.field("repeat", n)
    }
    /// Swaps forward and inverse.
    pub fn invert(self) -> Self {
        self.field("invert", true)
    }
}
impl From<Layer> for Value {
    fn from(l: Layer) -> Self {
        Value::Object(l.0)
    }
}
/// Layers in a row, as one.
pub fn chain(layers: impl IntoIterator<Item = Layer>) -> Layer {
    Layer::default().field("layers", layers.into_iter().map(Value::from).collect::<Vec<_>>())
}
