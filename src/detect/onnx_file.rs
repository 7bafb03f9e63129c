//! A walk over the bytes of an ONNX file, before a runtime sees them: is it an ONNX file at all, which operator
//! set does it need, and does it ask for other files. Weights in other files are not covered by the manifest's
//! hash, and their path could lead anywhere, so they are refused.
//!
//! The file is a Protocol Buffers message; numbers of fields are those of `onnx.proto` (ONNX, Apache-2.0).
//! Invariants, each with a test of its name:
//! - whatever the bytes are, the walk ends without a crash;
//! - it takes no memory in proportion to what the bytes claim.

use super::model::fault;
use crate::error::Error;

/// How deep graphs may stand in one another (`If` and `Loop` hold graphs), in messages.
const MAX_DEPTH: u32 = 64;

/// What the walk found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnnxFile {
    /// Version of the file format.
    pub ir_version: u64,
    /// Operator set of the standard operators.
    pub opset: u64,
    /// The paths of other files that hold weights.
    pub external: Vec<String>,
    has_graph: bool,
}

/// A message of `onnx.proto` that leads to a tensor, or is one.
#[derive(Clone, Copy, Debug)]
enum Message {
    Model,
    Opset,
    Graph,
    Node,
    Attribute,
    Function,
    Tensor,
    SparseTensor,
    TrainingInfo,
    ExternalEntry,
}

impl OnnxFile {
    /// Walks over `bytes`.
    ///
    /// # Errors
    /// What makes them no ONNX file, in words that fit behind its name.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() {
            return Err("is empty".to_owned());
        }
        let mut file = Self::default();
        file.walk(bytes, Message::Model, 0)
            .map_err(|what| format!("is not a sound ONNX file, or was cut short: {what}"))?;
        if !file.has_graph || file.ir_version == 0 {
            return Err("is not an ONNX file: it has no graph".to_owned());
        }
        if file.opset == 0 {
            return Err("is not a sound ONNX file: it names no operator set".to_owned());
        }
        Ok(file)
    }

    /// Refuses weights in other files.
    ///
    /// # Errors
    /// [`Kind::Model`](crate::error::Kind::Model) that names the file and where it leads.
    pub fn check_external(&self, name: &str) -> Result<(), Error> {
        let Some(path) = self.external.first() else { return Ok(()) };
        let leaves = path.starts_with(['/', '\\']) || path.contains("..") || path.contains(':');
        let how = if leaves { "outside of the model's folder" } else { "which no hash covers" };
        Err(fault(format!("{name} takes weights from another file, `{path}`, {how}"))
            .help("save the model as one file, with the weights inside (in Python: onnx.save(onnx.load(FILE), NEW))"))
    }

    fn walk(&mut self, bytes: &[u8], message: Message, depth: u32) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("messages stand more than {MAX_DEPTH} deep in one another"));
        }
        let mut fields = Fields { rest: bytes };
        // An operator set without a domain is that of the standard operators; so is "ai.onnx".
        let (mut domain, mut version): (&[u8], u64) = (&[], 0);
        let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
        while let Some((number, field)) = fields.next()? {
            let within = match (message, number, field) {
                (Message::Model, 1, Field::Number(version)) => {
                    self.ir_version = version;
                    None
                }
                (Message::Model, 7, _) => {
                    self.has_graph = true;
                    Some(Message::Graph)
                }
                (Message::Model, 8, _) => Some(Message::Opset),
                (Message::Model, 20, _) => Some(Message::TrainingInfo),
                (Message::Model, 25, _) => Some(Message::Function),
                (Message::Opset, 1, Field::Bytes(name)) => {
                    domain = name;
                    None
                }
                (Message::Opset, 2, Field::Number(number)) => {
                    version = number;
                    None
                }
                (Message::TrainingInfo, 1 | 2, _) => Some(Message::Graph),
                (Message::Graph, 1, _) | (Message::Function, 7, _) => Some(Message::Node),
                (Message::Graph, 5, _) => Some(Message::Tensor),
                (Message::Graph, 15, _) => Some(Message::SparseTensor),
                (Message::Node, 5, _) | (Message::Function, 11, _) => Some(Message::Attribute),
                (Message::Attribute, 5 | 10, _) | (Message::SparseTensor, 1 | 2, _) => Some(Message::Tensor),
                (Message::Attribute, 6 | 11, _) => Some(Message::Graph),
                (Message::Attribute, 22 | 23, _) => Some(Message::SparseTensor),
                (Message::Tensor, 13, _) => Some(Message::ExternalEntry),
                // 1 means that the tensor's data are elsewhere, whether or not it says where.
                (Message::Tensor, 14, Field::Number(1)) => {
                    if self.external.is_empty() {
                        self.external.push(String::new());
                    }
                    None
                }
                (Message::ExternalEntry, 1, Field::Bytes(name)) => {
                    key = name;
                    None
                }
                (Message::ExternalEntry, 2, Field::Bytes(text)) => {
                    value = text;
                    None
                }
                _ => None,
            };
            if let (Some(inner), Field::Bytes(content)) = (within, field) {
                self.walk(content, inner, depth + 1)?;
            }
        }
        match message {
            Message::Opset if domain.is_empty() || domain == b"ai.onnx" => self.opset = version,
            Message::ExternalEntry if key == b"location" => self.leads_to(value),
            _ => {}
        }
        Ok(())
    }

    /// Remembers the first path; a model with its weights elsewhere repeats it for each tensor.
    fn leads_to(&mut self, path: &[u8]) {
        const MAX_PATH: usize = 256;
        let path = String::from_utf8_lossy(&path[..path.len().min(MAX_PATH)]).into_owned();
        // One that leaves the folder is the better reason to refuse the model.
        match self.external.first_mut() {
            Some(first) if first.is_empty() || path.starts_with('/') || path.contains("..") => *first = path,
            Some(_) => {}
            None => self.external.push(path),
        }
    }
}

/// The content of a field.
#[derive(Clone, Copy, Debug)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// The fields of a message, one after the other.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => self.take(8).map(|_| Field::Fixed)?,
            2 => {
                let length = self.varint()?;
                Field::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Field::Fixed)?,
            other => return Err(format!("a field of the unknown wire type {other}")),
        };
        match key >> 3 {
            0 => Err("a field with the number 0".to_owned()),
            number => Ok(Some((number, field))),
        }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], String> {
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let Some((taken, rest)) = split else {
            return Err(format!("a field of {length} bytes where {} are left", self.rest.len()));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        // 64 bits are at most ten bytes of seven.
        for at in 0..10 {
            let Some((byte, rest)) = self.rest.split_first() else {
                return Err("the bytes end inside a number".to_owned());
            };
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number of more than ten bytes".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, content.len() as u8];
        out.extend_from_slice(content);
        out
    }

    /// A model with operator set 13 and a graph with `graph` inside.
    fn model(graph: &[u8]) -> Vec<u8> {
        [&[0x08, 8][..], &bytes(7, graph), &bytes(8, &[0x10, 13])].concat()
    }

    fn weights_at(path: &str) -> Vec<u8> {
        let entry = [bytes(1, b"location"), bytes(2, path.as_bytes())].concat();
        bytes(5, &[bytes(13, &entry), vec![0x70, 1]].concat())
    }

    #[test]
    fn version_and_operator_set_are_read_past_other_domains() {
        let other = bytes(8, &[bytes(1, b"com.example"), vec![0x10, 1]].concat());
        let file = OnnxFile::read(&[model(b""), other].concat()).unwrap();
        assert_eq!((file.ir_version, file.opset), (8, 13));
        assert!(file.check_external("m.onnx").is_ok());
    }

    #[test]
    fn weights_in_another_file_are_refused_wherever_the_tensor_stands() {
        let outside = OnnxFile::read(&model(&weights_at("../../etc/passwd"))).unwrap();
        let message = outside.check_external("m.onnx").unwrap_err().to_string();
        assert!(message.contains("m.onnx") && message.contains("../../etc/passwd"), "{message}");
        assert!(message.contains("outside of the model's folder"), "{message}");
        let beside = OnnxFile::read(&model(&weights_at("m.data"))).unwrap();
        assert!(beside.check_external("m.onnx").unwrap_err().to_string().contains("no hash covers"));
        // In the body of a loop: node, attribute, graph, tensor.
        let nested = bytes(1, &bytes(5, &bytes(6, &weights_at("/else/w"))));
        assert!(OnnxFile::read(&model(&nested)).unwrap().check_external("m.onnx").is_err());
        let silent = OnnxFile::read(&model(&bytes(5, &[0x70, 1]))).unwrap();
        assert!(silent.check_external("m.onnx").is_err(), "the tensor says elsewhere, but not where");
    }

    #[test]
    fn what_is_no_model_is_refused_with_the_reason() {
        let deep = (0..70)
            .fold(Vec::new(), |inner, _| bytes(1, &bytes(5, &bytes(6, &inner[..inner.len().min(200)]))));
        for (content, reason) in [
            (vec![], "is empty"),
            (b"<html>not found</html>".to_vec(), "is not a"),
            (vec![0x08, 8], "has no graph"),
            ([&[0x08, 8][..], &bytes(7, b"")].concat(), "names no operator set"),
            (model(b"")[..5].to_vec(), "cut short"),
            (vec![0x08, 0xff, 0xff], "inside a number"),
            (vec![0xff; 40], "more than ten bytes"),
            (vec![0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], "are left"),
            (model(&deep), "is not a sound ONNX file"),
        ] {
            let message = OnnxFile::read(&content).unwrap_err();
            assert!(message.contains(reason), "`{message}` does not say `{reason}`");
        }
    }

    #[test]
    fn graphs_that_stand_too_deep_in_one_another_are_refused() {
        let wrap = |number: u8, content: Vec<u8>| {
            let mut out =
                vec![number << 3 | 2, (content.len() & 0x7f) as u8 | 0x80, (content.len() >> 7) as u8];
            out.extend(content);
            out
        };
        let deep = (0..40).fold(Vec::new(), |inner, _| wrap(1, wrap(5, wrap(6, inner))));
        let bytes = [vec![0x08, 8], wrap(7, deep)].concat();
        assert!(OnnxFile::read(&bytes).unwrap_err().contains("deep"));
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_are_the_walk_ends_without_a_crash(
            noise in prop::collection::vec(any::<u8>(), 0..400),
            at in 0_usize..60,
            bit in 0_u8..8,
        ) {
            let _ = OnnxFile::read(&noise);
            let mut flipped = model(&weights_at("../w"));
            let at = at % flipped.len();
            flipped[at] ^= 1 << bit;
            let _ = OnnxFile::read(&flipped);
            let _ = OnnxFile::read(&flipped[..at]);
            let _ = OnnxFile::read(&[model(b""), noise].concat());
        }

        #[test]
        fn it_takes_no_memory_in_proportion_to_what_the_bytes_claim(length in any::<u64>()) {
            let mut claim = vec![0x3a];
            let mut rest = length;
            while rest >= 0x80 {
                claim.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            claim.push(rest as u8);
            // A list of the claimed length could not be had; the walk only compares it with what is left.
            prop_assert!(OnnxFile::read(&claim).is_err());
        }
    }
}
