//! ONNX Runtime: where its library is, and one session over one model. Keeps `ort` to itself.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use half::slice::HalfFloatSliceExt as _;
use ort::environment::Environment;
use ort::session::{Session as OrtSession, SessionInputValue, builder::GraphOptimizationLevel};
use ort::value::{DynValue, Outlet, TensorElementType, TensorRef};

use super::graph::{self, Port};
use super::heads::{Head, MAX_OUTPUTS, OutputSpec};
use super::model::{Model, fault};
use super::tensor::Tensor;
use crate::error::{Error, Kind, Result};

/// Where `make setup` puts the library, under the project's folder.
const SETUP_FOLDER: &str = ".setup/onnxruntime";
/// File name of the library.
const LIBRARY: &str = if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };

/// The library of this process, once loaded: it can be loaded only once.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// Finds the library: `configured`; else the environment variable `ORT_DYLIB_PATH`; else where `make setup`
/// puts it, under the working directory; else beside the program; else where `make setup` puts it, under a
/// folder above the program.
///
/// # Errors
/// [`Kind::Model`] when there is none, with all places that were looked at. A library that was asked for by
/// name and is not there is an error too: no other is taken for it.
pub fn find_library(configured: Option<&Path>) -> Result<PathBuf> {
    let asked = match configured {
        Some(path) => Some((path.to_owned(), "model.runtime of the configuration")),
        None => std::env::var_os("ORT_DYLIB_PATH")
            .filter(|value| !value.is_empty())
            .map(|value| (PathBuf::from(value), "the environment variable ORT_DYLIB_PATH")),
    };
    if let Some((path, who)) = asked {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(fault(format!("there is no ONNX Runtime library {}, named by {who}", path.display()))
                .help("run `make setup`, which fetches the library, and name no other"))
        };
    }
    let mut places = vec![Path::new(SETUP_FOLDER).join(LIBRARY)];
    if let Ok(program) = std::env::current_exe() {
        let folders: Vec<&Path> = program.ancestors().skip(1).collect();
        places.extend(folders.first().map(|beside| beside.join(LIBRARY)));
        places.extend(folders.iter().take(5).map(|above| above.join(SETUP_FOLDER).join(LIBRARY)));
    }
    match places.iter().find(|place| place.is_file()) {
        Some(found) => Ok(found.clone()),
        None => {
            let tried: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
            Err(fault(format!("there is no ONNX Runtime library; looked for {}", tried.join(", ")))
                .help("run `make setup`, which fetches it, or set ORT_DYLIB_PATH to a libonnxruntime.so"))
        }
    }
}

/// Loads the library found by [`find_library`], once a process.
fn environment(configured: Option<&Path>) -> Result<Environment> {
    let found = find_library(configured)?;
    let path = found.canonicalize().unwrap_or(found);
    let mut loaded = LOADED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((known, environment)) = &*loaded {
        return if *known == path {
            Ok(environment.clone())
        } else {
            let what = format!(
                "the ONNX Runtime library {} cannot be loaded: this process has loaded {}",
                path.display(),
                known.display()
            );
            Err(fault(what).help("use one library for all models"))
        };
    }
    let builder = ort::init_from(&path).map_err(|e| {
        fault(format!("the ONNX Runtime library {} cannot be loaded", path.display()))
            .help("run `make setup`, which fetches a library for this machine (1.24 or later is needed)")
            .caused_by(e)
    })?;
    let environment = builder.with_name("gridpatrol").with_telemetry(false).build().map_err(|e| {
        fault(format!("the ONNX Runtime library {} does not start", path.display())).caused_by(e)
    })?;
    *loaded = Some((path, environment.clone()));
    Ok(environment)
}

/// One model, ready to run. Holds the network's input, which is filled in place and lent to the runtime.
pub struct Session {
    session: OrtSession,
    head: Head,
    outputs: Vec<OutputSpec>,
    /// Outputs that are not float32, as float32.
    converted: [Vec<f32>; MAX_OUTPUTS],
    shape: [usize; 4],
    input: Tensor,
    name: String,
}

impl Session {
    /// Opens `model` with `threads` threads for one inference, on the library that `runtime` names or that
    /// is found. Graph optimisation is at its highest level (an INT8 graph is five times slower without);
    /// threads do not spin when they wait, for that would cost a core on a box that looks a few times a second.
    ///
    /// # Errors
    /// [`Kind::Model`] when the library or the graph cannot be loaded, or when the graph's inputs and outputs
    /// are not what the manifest says.
    pub fn open(model: &Model, runtime: Option<&Path>, threads: u16) -> Result<Self> {
        let environment = environment(runtime)?;
        let weights = model.weights();
        let session = open_file(&environment, &weights, threads)?;
        let manifest = &model.manifest;
        let shape = manifest.input.shape();
        let head = model.head();
        let outputs = head.outputs();
        graph::check_input(session.inputs(), &manifest.input, &weights)?;
        graph::check_outputs(session.outputs(), &outputs, &weights)?;
        Ok(Self {
            session,
            converted: std::array::from_fn(|_| Vec::new()),
            head,
            outputs,
            input: Tensor::new(&manifest.input),
            shape,
            name: manifest.name.clone(),
        })
    }

    /// The network's input, of the element type and order of axes of the manifest, as the last call left it.
    pub fn input_mut(&mut self) -> &mut Tensor {
        &mut self.input
    }

    /// Runs the network on its input and hands the outputs of the head, in the head's order, to `read`.
    ///
    /// # Errors
    /// [`Kind::System`] when the runtime fails or gives an output of another shape than the graph promised.
    pub fn run<T>(&mut self, read: impl FnOnce(&Head, &[&[f32]]) -> T) -> Result<T> {
        let name = &self.name;
        let failed =
            |e: ort::Error| Error::new(Kind::System, format!("the inference of {name} failed")).caused_by(e);
        let input = lend(self.shape, &self.input).map_err(failed)?;
        let results = self.session.run(ort::inputs![input]).map_err(failed)?;
        // An array keeps this off the heap.
        let mut data: [&[f32]; MAX_OUTPUTS] = [&[]; MAX_OUTPUTS];
        let used = self.outputs.len().min(data.len());
        for ((slot, output), room) in data.iter_mut().zip(&self.outputs).zip(&mut self.converted) {
            let wrong = |found: usize| {
                Error::new(
                    Kind::System,
                    format!(
                        "{name}: the output `{}` has {found} numbers, expected {:?}",
                        output.name, output.shape
                    ),
                )
            };
            let value = results.get(&output.name).ok_or_else(|| wrong(0))?;
            let numbers = floats(value, room).map_err(failed)?;
            let promised = output.shape.iter().product::<usize>();
            if numbers.len() > promised || (numbers.len() < promised && !output.may_be_shorter) {
                return Err(wrong(numbers.len()));
            }
            *slot = numbers;
        }
        Ok(read(&self.head, &data[..used]))
    }
}

/// The numbers of `value`: lent where they are float32, otherwise converted into `room`. Integers beyond 2^24
/// are rounded; class numbers and counts are smaller.
fn floats<'a>(value: &'a DynValue, room: &'a mut Vec<f32>) -> ort::Result<&'a [f32]> {
    room.clear();
    match value.dtype().tensor_type() {
        Some(TensorElementType::Float16) => {
            let numbers = value.try_extract_tensor::<half::f16>()?.1;
            room.resize(numbers.len(), 0.0);
            // Uses the processor's own conversion where it has one.
            numbers.convert_to_f32_slice(room);
        }
        Some(TensorElementType::Int64) => {
            room.extend(value.try_extract_tensor::<i64>()?.1.iter().map(|number| *number as f32));
        }
        Some(TensorElementType::Int32) => {
            room.extend(value.try_extract_tensor::<i32>()?.1.iter().map(|number| *number as f32));
        }
        _ => return Ok(value.try_extract_tensor::<f32>()?.1),
    }
    Ok(room)
}

/// Opens the graph in `weights`.
fn open_file(environment: &Environment, weights: &Path, threads: u16) -> Result<OrtSession> {
    session(environment, weights, threads).map_err(|e| {
        fault(format!("ONNX Runtime cannot open {}", weights.display()))
            .help(
                "`gridpatrol models verify` checks a model's files; models/README.md says how to rebuild one",
            )
            .caused_by(e)
    })
}

/// The inputs and outputs of the graph in `weights`, as the runtime sees them; for writing a manifest.
///
/// # Errors
/// [`Kind::Model`] when the library or the graph cannot be loaded.
pub fn inspect(weights: &Path, runtime: Option<&Path>) -> Result<(Vec<Port>, Vec<Port>)> {
    let session = open_file(&environment(runtime)?, weights, 1)?;
    let ports = |outlets: &[Outlet]| outlets.iter().map(Port::of).collect();
    Ok((ports(session.inputs()), ports(session.outputs())))
}

/// The input as the runtime takes it, without a copy.
fn lend(shape: [usize; 4], input: &Tensor) -> ort::Result<SessionInputValue<'_>> {
    Ok(match input {
        Tensor::Float32(numbers) => TensorRef::from_array_view((shape, numbers.as_slice()))?.into(),
        Tensor::Float16(numbers) => TensorRef::from_array_view((shape, numbers.as_slice()))?.into(),
        Tensor::Uint8(numbers) => TensorRef::from_array_view((shape, numbers.as_slice()))?.into(),
    })
}

fn session(environment: &Environment, weights: &Path, threads: u16) -> ort::Result<OrtSession> {
    OrtSession::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(usize::from(threads.max(1)))?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .commit_from_file(weights)
}
