//! Execution providers: what part of ONNX Runtime does the work (CPU, GPU, NPU), in the order the operator wants,
//! and a report of which one it became and why the ones before it did not.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ort::ep::{self, ExecutionProvider as _, ExecutionProviderDispatch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An execution provider of ONNX Runtime. All but `cpu` need a library that was built with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// ONNX Runtime's own kernels, in every library.
    #[default]
    Cpu,
    /// Intel CPUs, through OpenVINO.
    OpenVino,
    /// NVIDIA GPUs.
    Cuda,
    /// NVIDIA GPUs, through TensorRT.
    TensorRt,
    /// AMD GPUs.
    MiGraphX,
    /// Rockchip NPUs.
    RkNpu,
    /// Huawei Ascend.
    Cann,
    /// Qualcomm NPUs.
    Qnn,
    /// VeriSilicon NPUs.
    Vsinpu,
    /// Float kernels for Arm and x86-64 CPUs.
    Xnnpack,
    /// Arm Compute Library.
    Acl,
    /// Apple.
    CoreMl,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 12] = [
        Self::Cpu,
        Self::OpenVino,
        Self::Cuda,
        Self::TensorRt,
        Self::MiGraphX,
        Self::RkNpu,
        Self::Cann,
        Self::Qnn,
        Self::Vsinpu,
        Self::Xnnpack,
        Self::Acl,
        Self::CoreMl,
    ];

    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::OpenVino => "openvino",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::MiGraphX => "migraphx",
            Self::RkNpu => "rknpu",
            Self::Cann => "cann",
            Self::Qnn => "qnn",
            Self::Vsinpu => "vsinpu",
            Self::Xnnpack => "xnnpack",
            Self::Acl => "acl",
            Self::CoreMl => "coreml",
        }
    }

    /// Whether the loaded library was built with it. A library must be loaded.
    pub(super) fn is_in_library(self) -> bool {
        let available = match self {
            Self::Cpu => ep::CPU::is_available(),
            Self::OpenVino => ep::OpenVINO::is_available(),
            Self::Cuda => ep::CUDA::is_available(),
            Self::TensorRt => ep::TensorRT::is_available(),
            Self::MiGraphX => ep::MIGraphX::is_available(),
            Self::RkNpu => ep::RKNPU::is_available(),
            Self::Cann => ep::CANN::is_available(),
            Self::Qnn => ep::QNN::is_available(),
            Self::Vsinpu => ep::VSINPU::is_available(),
            Self::Xnnpack => ep::XNNPACK::is_available(),
            Self::Acl => ep::ACL::is_available(),
            Self::CoreMl => ep::CoreML::is_available(),
        };
        available.unwrap_or(false)
    }

    /// What is registered with a session of `threads` threads; an error in registering is an error of the
    /// session, not a line in a log. `None` for `cpu`, which needs no registering.
    pub(super) fn dispatch(self, threads: u16) -> Option<ExecutionProviderDispatch> {
        let threads = usize::from(threads.max(1));
        let dispatch = match self {
            Self::Cpu => return None,
            Self::OpenVino => {
                ep::OpenVINO::default().with_device_type("CPU").with_num_threads(threads).build()
            }
            Self::Cuda => ep::CUDA::default().build(),
            Self::TensorRt => ep::TensorRT::default().build(),
            Self::MiGraphX => ep::MIGraphX::default().build(),
            Self::RkNpu => ep::RKNPU::default().build(),
            Self::Cann => ep::CANN::default().build(),
            Self::Qnn => ep::QNN::default().build(),
            Self::Vsinpu => ep::VSINPU.build(),
            Self::Xnnpack => {
                let threads = std::num::NonZeroUsize::new(threads).unwrap_or(std::num::NonZeroUsize::MIN);
                ep::XNNPACK::default().with_intra_op_num_threads(threads).build()
            }
            Self::Acl => ep::ACL::default().build(),
            Self::CoreMl => ep::CoreML::default().build(),
        };
        Some(dispatch.error_on_failure())
    }

    /// The names of those that the loaded library was built with.
    pub(super) fn in_library() -> Vec<&'static str> {
        Self::ALL.into_iter().filter(|provider| provider.is_in_library()).map(Self::name).collect()
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Provider {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.name() == name)
            .ok_or_else(|| format!("expected one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// How a session is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The ONNX Runtime library; `None` for the usual places, see
    /// [`find_library`](super::session::find_library).
    pub library: Option<PathBuf>,
    /// The providers to try, best first. At least one.
    pub providers: Vec<Provider>,
    /// Threads for one inference.
    pub threads: u16,
}

impl Setup {
    /// `threads` threads on the CPU, with the library `library` or the one that is found.
    pub fn cpu(library: Option<&Path>, threads: u16) -> Self {
        Self { library: library.map(Path::to_owned), providers: vec![Provider::Cpu], threads }
    }
}

impl Default for Setup {
    /// One thread on the CPU.
    fn default() -> Self {
        Self::cpu(None, 1)
    }
}

/// A provider that was wanted and could not be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// Which one.
    pub provider: Provider,
    /// Why not.
    pub reason: String,
}

/// What a session runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeReport {
    /// The provider that does the work.
    pub provider: Provider,
    /// Whether `cpu` runs a part of the graph that the provider does not take. Never so unless `cpu` is in the
    /// configured list.
    pub shared_with_cpu: bool,
    /// The providers that were wanted more, each with the reason why it is not the one.
    pub tried: Vec<Refusal>,
    /// Version of ONNX Runtime, such as `1.32.0`; absent when the library does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The library file.
    pub library: PathBuf,
    /// Threads for one inference.
    pub threads: u16,
}

impl fmt::Display for RuntimeReport {
    /// One line for people: what runs, on which library, and why not what was wanted more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.provider)?;
        if self.shared_with_cpu {
            f.write_str(" (cpu runs what it does not take)")?;
        }
        let version = self.version.as_deref().unwrap_or("of unknown version");
        write!(f, ", ONNX Runtime {version}, {} thread(s), {}", self.threads, self.library.display())?;
        for refusal in &self.tried {
            write!(f, "; not {}: {}", refusal.provider, refusal.reason)?;
        }
        Ok(())
    }
}

/// The version that `library` names in its symbols, `VERS_1.32.0`. The wrapper asks the library for it but does
/// not pass it on.
pub(super) fn library_version(library: &Path) -> Option<String> {
    const MARK: &[u8] = b"VERS_";
    /// Longest mark with its version.
    const LONGEST: usize = 32;
    let mut file = File::open(library).ok()?;
    let mut buffer = vec![0; 256 << 10];
    let mut kept = 0;
    loop {
        let read = file.read(&mut buffer[kept..]).ok()?;
        let end = kept + read;
        for (at, _) in buffer[..end].windows(MARK.len()).enumerate().filter(|(_, bytes)| *bytes == MARK) {
            let text = &buffer[at + MARK.len()..end.min(at + LONGEST)];
            let length = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
            // A number that the buffer cuts off is read whole with the next piece.
            if length >= 5 && length < text.len() {
                return String::from_utf8(text[..length].to_vec()).ok();
            }
        }
        if read == 0 {
            return None;
        }
        let keep = end.min(LONGEST);
        buffer.copy_within(end - keep..end, 0);
        kept = keep;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_is_called_the_same_in_a_configuration_and_in_a_message() {
        for provider in Provider::ALL {
            let json = serde_json::to_string(&provider).unwrap();
            assert_eq!(json, format!("\"{provider}\""));
            assert_eq!(serde_json::from_str::<Provider>(&json).unwrap(), provider);
        }
    }

    #[test]
    fn the_version_is_found_across_the_edge_of_a_piece() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library");
        for before in [0, 100, (256 << 10) - 8, (256 << 10) - 3, 300 << 10] {
            let mut bytes = vec![b'x'; before];
            bytes.extend(b"VERS_1.32.0\0more");
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(library_version(&path).as_deref(), Some("1.32.0"), "{before} bytes before");
        }
        std::fs::write(&path, b"no version here, VERS_ nor there").unwrap();
        assert_eq!(library_version(&path), None);
    }

    #[test]
    fn a_report_says_what_runs_and_why_not_what_was_wanted_more() {
        let report = RuntimeReport {
            provider: Provider::Cpu,
            shared_with_cpu: false,
            tried: vec![Refusal { provider: Provider::Cuda, reason: "no driver".to_owned() }],
            version: Some("1.32.0".to_owned()),
            library: PathBuf::from("lib.so"),
            threads: 1,
        };
        assert_eq!(report.to_string(), "cpu, ONNX Runtime 1.32.0, 1 thread(s), lib.so; not cuda: no driver");
    }
}
