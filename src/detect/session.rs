//! ONNX Runtime: where its library is, and one session over one model. Keeps `ort` to itself.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ort::environment::Environment;
use ort::session::{Session as OrtSession, SessionInputValue, builder::GraphOptimizationLevel};
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

use super::heads::HeadSpec;
use super::input::Dtype;
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
    head: HeadSpec,
    outputs: Vec<super::heads::OutputSpec>,
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
        let refused = |e: ort::Error| {
            fault(format!("ONNX Runtime cannot open {}", weights.display()))
                .help("`gridpatrol models verify` checks a model's files; models/README.md says how to rebuild one")
                .caused_by(e)
        };
        let session = session(&environment, &weights, threads).map_err(refused)?;
        let manifest = &model.manifest;
        let shape = manifest.input.shape();
        let outputs = manifest.head.outputs();
        let element = match manifest.input.dtype {
            Dtype::Float32 => TensorElementType::Float32,
            Dtype::Float16 => TensorElementType::Float16,
            Dtype::Uint8 => TensorElementType::Uint8,
        };
        check(session.inputs(), "input", &[(&manifest.input.name, &shape)], element, &weights)?;
        for output in &outputs {
            check(
                session.outputs(),
                "output",
                &[(&output.name, &output.shape)],
                TensorElementType::Float32,
                &weights,
            )?;
        }
        if session.inputs().len() != 1 {
            let names: Vec<&str> = session.inputs().iter().map(Outlet::name).collect();
            let what = format!("{}: expected one input, found {}", weights.display(), names.join(", "));
            return Err(fault(what));
        }
        Ok(Self {
            session,
            head: manifest.head.clone(),
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
    pub fn run<T>(&mut self, read: impl FnOnce(&HeadSpec, &[&[f32]]) -> T) -> Result<T> {
        let name = &self.name;
        let failed =
            |e: ort::Error| Error::new(Kind::System, format!("the inference of {name} failed")).caused_by(e);
        let input = lend(self.shape, &self.input).map_err(failed)?;
        let results = self.session.run(ort::inputs![input]).map_err(failed)?;
        // No head reads more than four outputs; an array keeps this off the heap.
        let mut data: [&[f32]; 4] = [&[]; 4];
        let used = self.outputs.len().min(data.len());
        for (slot, output) in data.iter_mut().zip(&self.outputs) {
            let wrong = || {
                Error::new(Kind::System, format!("{name}: the output `{}` is not as promised", output.name))
            };
            let value = results.get(&output.name).ok_or_else(wrong)?;
            let (_, numbers) = value.try_extract_tensor::<f32>().map_err(failed)?;
            if numbers.len() != output.shape.iter().product::<usize>() {
                return Err(wrong());
            }
            *slot = numbers;
        }
        Ok(read(&self.head, &data[..used]))
    }
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

/// Checks that the graph has each of `wanted` (name, shape) of type `element` among its `kind`s.
fn check(
    found: &[Outlet],
    kind: &str,
    wanted: &[(&str, &[usize])],
    element: TensorElementType,
    weights: &Path,
) -> Result<()> {
    let described = |outlet: &Outlet| match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => format!("`{}` {ty} {:?}", outlet.name(), &shape[..]),
        other => format!("`{}` {other}", outlet.name()),
    };
    for (name, shape) in wanted {
        let matches = |outlet: &Outlet| match outlet.dtype() {
            ValueType::Tensor { ty, shape: actual, .. } => {
                outlet.name() == *name
                    && *ty == element
                    && actual.len() == shape.len()
                    // -1 is a side that the graph leaves open.
                    && actual.iter().zip(*shape).all(|(a, b)| *a == -1 || *a == *b as i64)
            }
            _ => false,
        };
        if !found.iter().any(matches) {
            let have: Vec<String> = found.iter().map(described).collect();
            return Err(fault(format!(
                "{}: expected the {kind} `{name}` {element} {shape:?}, found {}",
                weights.display(),
                have.join(", ")
            ))
            .help("the manifest and the graph do not belong together: correct model.toml or the file"));
        }
    }
    Ok(())
}
