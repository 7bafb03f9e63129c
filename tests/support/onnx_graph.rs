//! Writes small ONNX files whose answer is known: each output is a table plus 0 times the mean of the input, so
//! that the runtime has to run the graph, whatever the picture is. Numbers of fields and of element types are
//! those of `onnx.proto`.

use std::path::Path;

use sha2::{Digest, Sha256};

/// The numbers of one output.
pub enum Table {
    F32(Vec<f32>),
    /// Stored as float16.
    F16(Vec<f32>),
    I64(Vec<i64>),
    I32(Vec<i32>),
}

/// One output.
pub struct Output {
    pub name: &'static str,
    pub shape: Vec<usize>,
    pub table: Table,
    /// Of the second side, how many the graph gives, which it decides only when it runs.
    pub rows: Option<usize>,
}

impl Output {
    pub fn new(name: &'static str, shape: &[usize], table: Table) -> Self {
        Self { name, shape: shape.to_vec(), table, rows: None }
    }
}

/// A graph with one float32 input `images` of shape 1, 3, `height`, `width`, operator set 13.
pub fn graph(width: usize, height: usize, outputs: &[Output]) -> Vec<u8> {
    let mut graph = Vec::new();
    graph.extend(node("ReduceMean", &["images"], "mean", Some(("keepdims", 0))));
    graph.extend(node("Mul", &["mean", "nought"], "zero", None));
    graph.extend(field(2, b"known answer"));
    graph.extend(field(5, &tensor("nought", &[], &Table::F32(vec![0.0]))));
    for number in ["0", "1"] {
        let value = number.parse().unwrap();
        graph.extend(field(5, &tensor(number, &[1], &Table::I64(vec![value]))));
    }
    for Output { name, shape, table, rows } in outputs {
        let (stored, zero, all) = (format!("{name}.table"), format!("{name}.zero"), format!("{name}.all"));
        graph.extend(field(5, &tensor(&stored, shape, table)));
        graph.extend(node("Cast", &["zero"], &zero, Some(("to", table.element()))));
        let sum = if rows.is_some() { &all } else { *name };
        graph.extend(node("Add", &[&stored, &zero], sum, None));
        if let Some(rows) = rows {
            let (count, end, whole) =
                (format!("{name}.rows"), format!("{name}.end"), format!("{name}.whole"));
            graph.extend(field(5, &tensor(&count, &[1], &Table::I64(vec![*rows as i64]))));
            graph.extend(node("Cast", &["zero"], &whole, Some(("to", 7))));
            graph.extend(node("Add", &[&count, &whole], &end, None));
            graph.extend(node("Slice", &[&all, "0", &end, "1"], name, None));
        }
    }
    graph.extend(field(11, &value_info("images", 1, &[Some(1), Some(3), Some(height), Some(width)])));
    for Output { name, shape, table, rows } in outputs {
        let open = |(at, side): (usize, &usize)| (at != 1 || rows.is_none()).then_some(*side);
        let shape: Vec<Option<usize>> = shape.iter().enumerate().map(open).collect();
        graph.extend(field(12, &value_info(name, table.element(), &shape)));
    }
    [number(1, 8), field(2, b"gridpatrol tests"), field(7, &graph), field(8, &number(2, 13))].concat()
}

/// Writes a model's folder: `graph` with the labels, and a manifest with `head` for its `[head]` and what may
/// follow it.
pub fn folder(path: &Path, graph: &[u8], (width, height): (usize, usize), labels: &[&str], head: &str) {
    let sha256: String = Sha256::digest(graph).iter().map(|byte| format!("{byte:02x}")).collect();
    let labels = labels.iter().map(|label| format!("\"{label}\"")).collect::<Vec<_>>().join(", ");
    let manifest = format!(
        "name = \"known\"\nfile = \"known.onnx\"\nsha256 = \"{sha256}\"\nlicence = \"Apache-2.0\"\n\
         provenance = \"written by a test\"\nopset = 13\nlabels = [{labels}]\n\n\
         [input]\nname = \"images\"\nwidth = {width}\nheight = {height}\ncolour = \"rgb\"\n\
         resize = \"stretch\"\nscale = 1.0\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n\
         dtype = \"float32\"\n\n[threshold]\nscore = 0.4\niou = 0.5\n\n[head]\n{head}\n"
    );
    std::fs::write(path.join("known.onnx"), graph).unwrap();
    std::fs::write(path.join("model.toml"), manifest).unwrap();
}

impl Table {
    /// The element type's number.
    fn element(&self) -> u64 {
        match self {
            Self::F32(_) => 1,
            Self::I32(_) => 6,
            Self::I64(_) => 7,
            Self::F16(_) => 10,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(table) => table.iter().flat_map(|n| n.to_le_bytes()).collect(),
            Self::F16(table) => table.iter().flat_map(|n| half::f16::from_f32(*n).to_le_bytes()).collect(),
            Self::I64(table) => table.iter().flat_map(|n| n.to_le_bytes()).collect(),
            Self::I32(table) => table.iter().flat_map(|n| n.to_le_bytes()).collect(),
        }
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// A field that holds a number.
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A field that holds text or a message.
fn field(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn node(op: &str, inputs: &[&str], output: &str, attribute: Option<(&str, u64)>) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|name| field(1, name.as_bytes())).collect();
    node.extend(field(2, output.as_bytes()));
    node.extend(field(4, op.as_bytes()));
    if let Some((name, value)) = attribute {
        let attribute = [field(1, name.as_bytes()), number(3, value), number(20, 2)].concat();
        node.extend(field(5, &attribute));
    }
    field(1, &node)
}

fn tensor(name: &str, shape: &[usize], table: &Table) -> Vec<u8> {
    let mut tensor: Vec<u8> = shape.iter().flat_map(|side| number(1, *side as u64)).collect();
    tensor.extend(number(2, table.element()));
    tensor.extend(field(8, name.as_bytes()));
    tensor.extend(field(9, &table.bytes()));
    tensor
}

fn value_info(name: &str, element: u64, shape: &[Option<usize>]) -> Vec<u8> {
    let side = |side: &Option<usize>| match side {
        Some(side) => field(1, &number(1, *side as u64)),
        None => field(1, &field(2, b"rows")),
    };
    let shape: Vec<u8> = shape.iter().flat_map(side).collect();
    let tensor = [number(1, element), field(2, &shape)].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
}
