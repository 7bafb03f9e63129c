//! The inputs and outputs of an opened graph, and whether they are what a manifest says.

use std::fmt;
use std::path::Path;

use ort::value::{Outlet, TensorElementType, ValueType};

use super::heads::OutputSpec;
use super::input::{Dtype, InputSpec};
use super::model::fault;
use crate::error::Result;

/// One input or output of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// What its elements are.
    pub element: Element,
    /// Its sides; -1 for one that the graph leaves open.
    pub shape: Vec<i64>,
}

/// What the elements of a port are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// IEEE 754 single precision.
    Float32,
    /// IEEE 754 half precision.
    Float16,
    /// Signed, 64 bits.
    Int64,
    /// Signed, 32 bits.
    Int32,
    /// Unsigned, 8 bits.
    Uint8,
    /// Something else, in the runtime's words.
    Other(String),
}

impl Port {
    pub(super) fn of(outlet: &Outlet) -> Self {
        let (element, shape) = match outlet.dtype() {
            ValueType::Tensor { ty, shape, .. } => (Element::of(*ty), shape.to_vec()),
            other => (Element::Other(other.to_string()), Vec::new()),
        };
        Self { name: outlet.name().to_owned(), element, shape }
    }

    /// Whether its shape can be `wanted`. Open sides can be anything, and leading sides of 1 may be missing on
    /// either hand, because some graphs have no batch.
    pub fn can_be(&self, wanted: &[usize]) -> bool {
        let found: Vec<i64> = self.shape.clone();
        let wanted: Vec<i64> = wanted.iter().map(|side| *side as i64).collect();
        let same = |found: &[i64], wanted: &[i64]| {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(f, w)| *f == -1 || f == w)
        };
        let without_batch = wanted.first() == Some(&1) && wanted.len() > 1;
        same(&found, &wanted)
            || (without_batch && same(&found, &wanted[1..]))
            || (wanted == [1] && found.is_empty())
    }
}

impl Element {
    fn of(ty: TensorElementType) -> Self {
        match ty {
            TensorElementType::Float32 => Self::Float32,
            TensorElementType::Float16 => Self::Float16,
            TensorElementType::Int64 => Self::Int64,
            TensorElementType::Int32 => Self::Int32,
            TensorElementType::Uint8 => Self::Uint8,
            other => Self::Other(other.to_string()),
        }
    }

    /// Whether a head can read it; integers only where it says so.
    pub fn is_readable(&self, may_be_integer: bool) -> bool {
        match self {
            Self::Float32 | Self::Float16 => true,
            Self::Int64 | Self::Int32 => may_be_integer,
            Self::Uint8 | Self::Other(_) => false,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::Int64 => "int64",
            Self::Int32 => "int32",
            Self::Uint8 => "uint8",
            Self::Other(name) => name,
        })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {} {:?}", self.name, self.element, self.shape)
    }
}

/// All ports in one line.
pub fn listed(ports: &[Port]) -> String {
    let listed: Vec<String> = ports.iter().map(Port::to_string).collect();
    listed.join(", ")
}

/// Checks that the graph has the one input that the manifest says.
pub(super) fn check_input(found: &[Outlet], wanted: &InputSpec, weights: &Path) -> Result<()> {
    let ports: Vec<Port> = found.iter().map(Port::of).collect();
    let (name, shape) = (&wanted.name, wanted.shape());
    let element = match wanted.dtype {
        Dtype::Float32 => Element::Float32,
        Dtype::Float16 => Element::Float16,
        Dtype::Uint8 => Element::Uint8,
    };
    if !ports.iter().any(|port| port.name == *name && port.element == element && port.can_be(&shape)) {
        return Err(differs(weights, &format!("the input `{name}` {element} {shape:?}"), &ports));
    }
    if ports.len() != 1 {
        return Err(differs(weights, "one input", &ports));
    }
    Ok(())
}

/// Checks that the graph has each output of the head.
pub(super) fn check_outputs(found: &[Outlet], wanted: &[OutputSpec], weights: &Path) -> Result<()> {
    let ports: Vec<Port> = found.iter().map(Port::of).collect();
    for OutputSpec { name, shape, may_be_integer, .. } in wanted {
        let fits = |port: &Port| {
            port.name == *name && port.element.is_readable(*may_be_integer) && port.can_be(shape)
        };
        if !ports.iter().any(fits) {
            let element = if *may_be_integer { "of numbers" } else { "float32 or float16" };
            return Err(differs(weights, &format!("the output `{name}` {element} {shape:?}"), &ports));
        }
    }
    Ok(())
}

fn differs(weights: &Path, expected: &str, ports: &[Port]) -> crate::error::Error {
    fault(format!("{}: expected {expected}, found {}", weights.display(), listed(ports)))
        .help("the manifest and the graph do not belong together: correct model.toml or the file")
}
