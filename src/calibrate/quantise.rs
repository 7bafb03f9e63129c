//! ONNX Runtime's own quantiser, in a Python environment that is set up here: pinned packages, each file checked
//! by its hash. Python quantises and nothing else; what it is given and what it made are judged in Rust.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

const SCRIPT: &str = include_str!("quantise.py");
const REQUIREMENTS: &str = include_str!("requirements.txt");
/// Holds the requirements that an environment was made of, once it is whole.
const MARKER: &str = "ready.txt";
/// Whether this Python will do: the packages need 3.11.
const CHECK: &str = "import sys, venv, ensurepip; sys.exit(0 if sys.version_info >= (3, 11) else 3)";

/// A Python with the pinned packages.
#[derive(Clone, Debug)]
pub struct Environment {
    folder: PathBuf,
}

/// What is to be quantised.
#[derive(Clone, Debug, Serialize)]
pub struct Job {
    /// The FP32 graph.
    pub model: PathBuf,
    /// The file to write.
    pub out: PathBuf,
    /// Where the script writes its [`Outcome`].
    pub result: PathBuf,
    /// Folder of the network's inputs: `0.f32`, `1.f32` ..., little-endian float32 in the order of `shape`.
    pub tensors: PathBuf,
    /// How many there are.
    pub count: usize,
    /// Name of the network's input.
    pub input: String,
    /// Shape of the network's input.
    pub shape: [usize; 4],
    /// Nodes whose names begin so stay FP32, besides normalisation and decoding.
    pub keep: Vec<String>,
}

/// What the quantiser did.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Operator set of the graph that was written.
    pub opset: u32,
    /// Nodes of the FP32 graph.
    pub nodes: usize,
    /// Nodes of it that stayed FP32.
    pub kept: usize,
}

impl Environment {
    /// Makes the environment in `folder` with the interpreter `python`, unless it is there already. `say` is
    /// given a line at each step; the first time takes a minute and fetches about 60 MB.
    ///
    /// # Errors
    /// [`Kind::System`] when there is no Python of 3.11 or later with venv, or a package cannot be fetched or is
    /// not the pinned one; [`Kind::Disk`] when the folder cannot be written.
    pub fn set_up(folder: &Path, python: &str, say: &mut dyn FnMut(&str)) -> Result<Self> {
        check(python)?;
        let environment = Self { folder: folder.to_owned() };
        let marker = folder.join(MARKER);
        if fs::read_to_string(&marker).is_ok_and(|made_of| made_of == REQUIREMENTS) {
            return Ok(environment);
        }
        say(&format!("making a Python environment in {}, once", folder.display()));
        fs::create_dir_all(folder).map_err(|e| Error::disk(folder, "make the folder", e))?;
        let mut venv = Command::new(python);
        venv.args(["-m", "venv", "--clear"]).arg(folder);
        let log = folder.with_extension("log");
        if let Some(why) = failure(&mut venv, &log, say)? {
            return Err(Error::new(Kind::System, format!("{python} could not make an environment: {why}"))
                .help("install what Debian calls python3-venv: apt-get install python3-venv"));
        }
        let requirements = folder.join("requirements.txt");
        write(&requirements, REQUIREMENTS)?;
        let mut pip = Command::new(environment.python());
        pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--require-hashes"])
            .args(["--only-binary", ":all:", "--progress-bar", "off", "--requirement"])
            .arg(&requirements);
        let mut packages = |line: &str| {
            if ["Collecting", "Downloading", "Installing"].iter().any(|word| line.trim().starts_with(word)) {
                say(line.trim());
            }
        };
        if let Some(why) = failure(&mut pip, &log, &mut packages)? {
            return Err(Error::new(Kind::System, format!("the pinned Python packages cannot be had: {why}"))
                .help(format!("is the network up? Run it again; {} has all that pip said", log.display())));
        }
        write(&marker, REQUIREMENTS)?;
        Ok(environment)
    }

    /// Does `job`; `scratch` is a folder for the script and its log.
    ///
    /// # Errors
    /// [`Kind::System`] with the quantiser's own last words when it fails, [`Kind::Disk`] when `scratch` cannot
    /// be written.
    pub fn quantise(&self, job: &Job, scratch: &Path, say: &mut dyn FnMut(&str)) -> Result<Outcome> {
        let (script, order) = (scratch.join("quantise.py"), scratch.join("job.json"));
        write(&script, SCRIPT)?;
        let text = serde_json::to_string(job)
            .map_err(|e| Error::new(Kind::System, "cannot write the quantiser's job").caused_by(e))?;
        write(&order, &text)?;
        let mut command = Command::new(self.python());
        // -I: neither the user's own packages nor the working directory.
        command.arg("-I").arg(&script).arg(&order);
        let refused = |why: String| {
            Error::new(Kind::System, format!("{} cannot be quantised: {why}", job.model.display()))
                .help("the model must be an FP32 graph; calibration/README.md says what is supported")
        };
        if let Some(why) = failure(&mut command, &scratch.join("quantise.log"), say)? {
            return Err(refused(why));
        }
        let result = fs::read_to_string(&job.result).map_err(|e| Error::disk(&job.result, "read", e))?;
        serde_json::from_str(&result).map_err(|e| refused(format!("its result is not readable: {e}")))
    }

    fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }
}

/// Whether `python` can be used.
fn check(python: &str) -> Result<()> {
    let found = Command::new(python).args(["-c", CHECK]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    let wanted = "install Python 3.11 or later with venv: apt-get install python3-venv";
    let wrong = |what: String| Error::new(Kind::System, what).help(wanted);
    match found {
        Ok(status) if status.success() => Ok(()),
        Ok(status) if status.code() == Some(3) => {
            Err(wrong(format!("{python} is older than 3.11, which the quantiser needs")))
        }
        Ok(_) => Err(wrong(format!("{python} has no venv, which the quantiser is installed with"))),
        Err(e) => Err(wrong(format!("there is no {python}, which the quantiser runs on")).caused_by(e)),
    }
}

/// Runs `command` to its end and gives its lines of standard output to `say`; standard error goes to the file
/// `log`. What went wrong, in its last words, if it failed.
fn failure(command: &mut Command, log: &Path, say: &mut dyn FnMut(&str)) -> Result<Option<String>> {
    let errors = fs::File::create(log).map_err(|e| Error::disk(log, "write", e))?;
    let name = command.get_program().to_string_lossy().into_owned();
    let broken = |e| Error::new(Kind::System, format!("cannot run {name}")).caused_by(e);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(errors))
        .spawn()
        .map_err(broken)?;
    if let Some(output) = child.stdout.take() {
        // Ends at the first line that is not UTF-8; nothing of what runs here prints one.
        BufReader::new(output).lines().map_while(std::result::Result::ok).for_each(|line| say(&line));
    }
    let status = child.wait().map_err(broken)?;
    if status.success() {
        return Ok(None);
    }
    let said = fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    Ok(Some(last.map_or_else(|| status.to_string(), str::to_owned)))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| Error::disk(path, "write", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_python_is_an_error_that_says_what_to_install() {
        let error = Environment::set_up(Path::new("unused"), "no-such-python", &mut |_| {}).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains("no-such-python"), "{error}");
        let help = miette::Diagnostic::help(&error).unwrap().to_string();
        assert!(help.contains("apt-get install python3-venv"), "{help}");
        assert!(!Path::new("unused").exists(), "nothing is left behind");
    }

    #[test]
    fn a_program_that_fails_is_quoted_with_its_last_words_and_its_output_is_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; echo 'Trace' >&2; echo 'ValueError: why' >&2; exit 1"]);
        let why = failure(&mut command, &folder.path().join("log"), &mut |line| lines.push(line.to_owned()));
        assert_eq!(why.unwrap().unwrap(), "ValueError: why");
        assert_eq!(lines, ["one", "two"]);
        let mut silent = Command::new("sh");
        silent.args(["-c", "exit 7"]);
        let why = failure(&mut silent, &folder.path().join("log"), &mut |_| {}).unwrap().unwrap();
        assert!(why.contains('7'), "{why}");
    }

    #[test]
    fn every_pinned_package_has_a_hash() {
        let packages: Vec<&str> = REQUIREMENTS.lines().filter(|line| line.contains("==")).collect();
        assert!(packages.iter().any(|line| line.starts_with("onnxruntime==")));
        for package in packages {
            let after = REQUIREMENTS.split_once(package).unwrap().1.trim_start();
            assert!(after.starts_with("--hash=sha256:"), "{package}");
        }
    }
}
