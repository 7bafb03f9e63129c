//! ONNX Runtime: where its library is, and one session over one model. Keeps `ort` to itself.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ort::environment::Environment;
use ort::session::Session as OrtSession;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

use super::heads::HeadSpec;
use super::model::{Model, fault};
use super::provider::{self, Provider, Refusal, RuntimeReport, Setup};
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
    head: HeadSpec,
    outputs: Vec<super::heads::OutputSpec>,
    shape: [usize; 4],
    input: Vec<f32>,
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
        let shape = [1, 3, manifest.input.height, manifest.input.width];
        let outputs = manifest.head.outputs();
        check(session.inputs(), "input", &[(&manifest.input.name, &shape)], &weights)?;
        for output in &outputs {
            check(session.outputs(), "output", &[(&output.name, &output.shape)], &weights)?;
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
            input: vec![0.0; shape.iter().product()],
            shape,
            name: manifest.name.clone(),
            runtime,
        })
    }

    /// What the session runs on.
    pub fn runtime(&self) -> &RuntimeReport {
        &self.runtime
    }

    /// The network's input, `[1, 3, height, width]`, as the last call left it.
    pub fn input_mut(&mut self) -> &mut [f32] {
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
        let input = TensorRef::from_array_view((self.shape, self.input.as_slice())).map_err(failed)?;
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

/// Checks that the graph has each of `wanted` (name, shape) as float32 among its `kind`s.
fn check(found: &[Outlet], kind: &str, wanted: &[(&str, &[usize])], weights: &Path) -> Result<()> {
    let described = |outlet: &Outlet| match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => format!("`{}` {ty} {:?}", outlet.name(), &shape[..]),
        other => format!("`{}` {other}", outlet.name()),
    };
    for (name, shape) in wanted {
        let matches = |outlet: &Outlet| match outlet.dtype() {
            ValueType::Tensor { ty, shape: actual, .. } => {
                outlet.name() == *name
                    && *ty == TensorElementType::Float32
                    && actual.len() == shape.len()
                    // -1 is a side that the graph leaves open.
                    && actual.iter().zip(*shape).all(|(a, b)| *a == -1 || *a == *b as i64)
            }
            _ => false,
        };
        if !found.iter().any(matches) {
            let have: Vec<String> = found.iter().map(described).collect();
            return Err(fault(format!(
                "{}: expected the {kind} `{name}` f32 {shape:?}, found {}",
                weights.display(),
                have.join(", ")
            ))
            .help("the manifest and the graph do not belong together: correct model.toml or the file"));
        }
    }
    Ok(())
}
