//! ONNX Runtime: where its library is, and one session over one model. Keeps `ort` to itself.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use half::slice::HalfFloatSliceExt as _;
use ort::environment::Environment;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{RunOptions, Session as OrtSession, SessionInputValue};
use ort::value::{DynValue, Outlet, TensorElementType, TensorRef};

use super::graph::{self, Port};
use super::heads::{Head, MAX_OUTPUTS, OutputSpec};
use super::model::{Model, fault};
use super::provider::{self, Provider, Refusal, RuntimeReport, Setup};
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

/// Loads the library found by [`find_library`], once a process. Returns its path too.
fn environment(configured: Option<&Path>) -> Result<(PathBuf, Environment)> {
    let found = find_library(configured)?;
    let path = found.canonicalize().unwrap_or(found);
    let mut loaded = LOADED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((known, environment)) = &*loaded {
        return if *known == path {
            Ok((path, environment.clone()))
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
    *loaded = Some((path.clone(), environment.clone()));
    Ok((path, environment))
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
    runtime: RuntimeReport,
}

impl Session {
    /// Opens `model` on the CPU with `threads` threads for one inference, on the library that `runtime` names
    /// or that is found.
    ///
    /// # Errors
    /// As [`Session::with`].
    pub fn open(model: &Model, runtime: Option<&Path>, threads: u16) -> Result<Self> {
        Self::with(model, &Setup::cpu(runtime, threads))
    }

    /// Opens `model` as `setup` says: the first of its providers that the library has, that takes the graph and
    /// that can run it once. That one run also warms the session up, so that the first look is not a slow one.
    /// Graph optimisation is at its highest level (an INT8 graph is five times slower without); threads do not
    /// spin when they wait, for that would cost a core on a box that looks a few times a second.
    ///
    /// # Errors
    /// [`Kind::Model`] when the library cannot be loaded, when no provider can run the graph (all are named,
    /// with the reasons), or when the graph's inputs and outputs are not what the manifest says.
    pub fn with(model: &Model, setup: &Setup) -> Result<Self> {
        let (library, environment) = environment(setup.library.as_deref())?;
        let mut tried: Vec<Refusal> = Vec::new();
        let mut last = None;
        for &provider in &setup.providers {
            if !provider.is_in_library() {
                let has = Provider::in_library().join(", ");
                let reason = format!("the library has no such provider, only {has}");
                tried.push(Refusal { provider, reason });
                continue;
            }
            let (session, shared_with_cpu) = match start(&environment, &model.weights(), provider, setup) {
                Ok(started) => started,
                Err(e) => {
                    tried.push(Refusal { provider, reason: one_line(&e) });
                    last = Some(e);
                    continue;
                }
            };
            let version = provider::library_version(&library);
            let (library, threads) = (library.clone(), setup.threads);
            let runtime =
                RuntimeReport { provider, shared_with_cpu, tried: tried.clone(), version, library, threads };
            let mut opened = Self::checked(session, model, runtime)?;
            match opened.run(|_, _| ()) {
                Ok(()) => return Ok(opened),
                Err(e) => tried.push(Refusal { provider, reason: one_line(&e) }),
            }
        }
        Err(none_left(&model.weights(), &tried, last))
    }

    /// `session` as one over `model`, if it has the inputs and outputs of the manifest.
    fn checked(session: OrtSession, model: &Model, runtime: RuntimeReport) -> Result<Self> {
        let weights = model.weights();
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
            runtime,
        })
    }

    /// What the session runs on.
    pub fn runtime(&self) -> &RuntimeReport {
        &self.runtime
    }

    /// The network's input, of the element type and order of axes of the manifest, as the last call left it.
    pub fn input_mut(&mut self) -> &mut Tensor {
        &mut self.input
    }

    /// Gives the memory that an inference needs back to the system. The runtime does so at the end of an inference
    /// only, so this is one more, on the input as it is.
    ///
    /// # Errors
    /// [`Kind::System`] when the runtime cannot.
    pub fn shrink(&mut self) -> Result<()> {
        let what = format!("the inference of {} that gives its memory back failed", self.name);
        let failed = |e: ort::Error| Error::new(Kind::System, what.as_str()).caused_by(e);
        let mut options = RunOptions::new().map_err(failed)?;
        options.set("memory.enable_memory_arena_shrinkage", "cpu:0").map_err(failed)?;
        let input = lend(self.shape, &self.input).map_err(failed)?;
        self.session.run_with_options(ort::inputs![input], &options).map_err(failed)?;
        Ok(())
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

/// The inputs and outputs of the graph in `weights`, as the runtime sees them; for writing a manifest.
///
/// # Errors
/// [`Kind::Model`] when the library or the graph cannot be loaded.
pub fn inspect(weights: &Path, runtime: Option<&Path>) -> Result<(Vec<Port>, Vec<Port>)> {
    let (_, environment) = environment(runtime)?;
    let setup = Setup::cpu(runtime, 1);
    let (session, _) = start(&environment, weights, Provider::Cpu, &setup).map_err(|e| {
        none_left(weights, &[Refusal { provider: Provider::Cpu, reason: one_line(&e) }], Some(e))
    })?;
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

/// A session of `weights` on `provider`, and whether `cpu` runs a part of the graph. That is allowed only where
/// the list has `cpu`, and only when the provider does not take the whole graph.
fn start(
    environment: &Environment,
    weights: &Path,
    provider: Provider,
    setup: &Setup,
) -> ort::Result<(OrtSession, bool)> {
    let Some(dispatch) = provider.dispatch(setup.threads) else {
        return Ok((options(environment, setup)?.commit_from_file(weights)?, false));
    };
    let alone = options(environment, setup)?
        .with_disable_cpu_fallback()?
        .with_execution_providers([dispatch.clone()])?
        .commit_from_file(weights);
    match alone {
        Ok(session) => Ok((session, false)),
        Err(_) if setup.providers.contains(&Provider::Cpu) => {
            let session = options(environment, setup)?
                .with_execution_providers([dispatch])?
                .commit_from_file(weights)?;
            Ok((session, true))
        }
        Err(e) => Err(e),
    }
}

fn options(environment: &Environment, setup: &Setup) -> ort::Result<SessionBuilder> {
    Ok(OrtSession::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_memory_pattern(true)?
        .with_intra_threads(usize::from(setup.threads.max(1)))?
        .with_intra_op_spinning(false)?
        // x86 processors with AVX2 and no VNNI overflow when they add up products of bytes of either sign, and find other
        // boxes then; with this ONNX Runtime makes weights unsigned on these, which is exact (its pull request 12088).
        .with_config_entry("session.x64quantprecision", "1")?
        .with_inter_op_spinning(false)?)
}

/// The error when no provider could run `weights`.
fn none_left(weights: &Path, tried: &[Refusal], last: Option<ort::Error>) -> Error {
    let help = "`gridpatrol models verify` checks a model's files; models/README.md says how to rebuild one";
    let weights = weights.display();
    let fault = match (tried, last) {
        // The usual case, one provider that everybody has: the fault is the file's.
        ([Refusal { provider: Provider::Cpu, .. }], Some(e)) => {
            return fault(format!("ONNX Runtime cannot open {weights}")).help(help).caused_by(e);
        }
        (tried, _) => {
            let each: Vec<String> = tried.iter().map(|t| format!("{}: {}", t.provider, t.reason)).collect();
            fault(format!("none of model.providers can run {weights}: {}", each.join("; ")))
        }
    };
    fault.help("end model.providers with \"cpu\", or set model.runtime to a library that has the provider")
}

/// An error and its causes in one line, no longer than a log line should be.
fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text = format!("{text}: {e}");
        cause = e.source();
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
