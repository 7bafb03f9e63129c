//! What this box is: its processor, and what this process takes of its memory and time.

use std::fs;

use serde::Serialize;

/// Processor features that decide how fast a network runs: vector units, and the 8-bit dot products that make
/// INT8 worth while. Names as Linux gives them; `asimd` is NEON, `asimddp` its dot product.
const FLAGS: [&str; 9] =
    ["avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimddp", "i8mm"];

/// The processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Its name as the system gives it, or the architecture.
    pub cpu: String,
    /// Architecture, e.g. `x86_64`.
    pub arch: &'static str,
    /// Processors that this process may use.
    pub cores: usize,
    /// Features among those that matter here.
    pub flags: Vec<&'static str>,
}

impl Machine {
    /// This machine.
    pub fn this() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::of(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default(), cores)
    }

    fn of(cpuinfo: &str, cores: usize) -> Self {
        let value = |keys: [&str; 2]| {
            cpuinfo.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                keys.contains(&key.trim()).then(|| value.trim())
            })
        };
        let has: Vec<&str> =
            value(["flags", "Features"]).unwrap_or_default().split_ascii_whitespace().collect();
        Self {
            cpu: value(["model name", "Model"]).unwrap_or(std::env::consts::ARCH).to_owned(),
            arch: std::env::consts::ARCH,
            cores,
            flags: FLAGS.into_iter().filter(|flag| has.contains(flag)).collect(),
        }
    }
}

/// Lets the peak of [`peak_rss_bytes`] start anew. Where the system does not allow it the peak stays that of
/// the process.
pub fn reset_peak_rss() {
    // proc(5): 5 resets the peak resident set size.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that this process held at once, in bytes (`VmHWM`); `None` where the system does not say.
pub fn peak_rss_bytes() -> Option<u64> {
    peak(&fs::read_to_string("/proc/self/status").ok()?)
}

fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Processor time of all threads of this process so far, in seconds.
pub fn cpu_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_cpuinfo_are_read() {
        let intel = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 avx512_vnni\n";
        let machine = Machine::of(intel, 2);
        assert_eq!((machine.cpu.as_str(), machine.flags), ("Some CPU", vec!["avx2", "avx512_vnni"]));
        let arm = Machine::of("processor : 0\nFeatures : fp asimd asimddp\n", 4);
        assert_eq!(arm.flags, ["asimd", "asimddp"]);
        assert_eq!(Machine::of("", 1).cpu, std::env::consts::ARCH);
    }

    #[test]
    fn the_peak_is_read_in_bytes() {
        assert_eq!(peak("VmPeak:\t 9 kB\nVmHWM:\t   1234 kB\n"), Some(1234 * 1024));
        assert_eq!(peak("VmHWM: many\n"), None);
    }
}
