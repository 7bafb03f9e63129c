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
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

fn kilobytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The memory that this process holds, in bytes (`VmRSS`); `None` where the system does not say.
pub fn rss_bytes() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// Processor time so far of the threads of this process whose names begin with `name`, in seconds, to a hundredth;
/// `None` where the system does not say.
pub fn threads_cpu_s(name: &str) -> Option<f64> {
    let mut ticks = 0;
    for thread in fs::read_dir("/proc/self/task").ok()? {
        // A thread that has just ended is not there any more.
        let Ok(stat) = fs::read_to_string(thread.ok()?.path().join("stat")) else { continue };
        ticks += ticks_of(&stat, name).unwrap_or(0);
    }
    // Linux counts user-visible ticks at 100 a second on all machines that this program is built for.
    Some(ticks as f64 / 100.0)
}

/// User and system time in proc(5) `stat`, if the thread's name begins with `name`.
fn ticks_of(stat: &str, name: &str) -> Option<u64> {
    let (head, rest) = stat.rsplit_once(')')?;
    let (_, called) = head.split_once('(')?;
    // Fields 14 and 15; the name is the second.
    let mut times = rest.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let ticks = times.next()?.ok()? + times.next()?.ok()?;
    called.starts_with(name).then_some(ticks)
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
        assert_eq!(kilobytes("VmPeak:\t 9 kB\nVmHWM:\t   1234 kB\n", "VmHWM:"), Some(1234 * 1024));
        assert_eq!(kilobytes("VmHWM: many\n", "VmHWM:"), None);
    }

    #[test]
    fn the_time_of_a_thread_is_found_by_its_name() {
        let stat = "77 (capture cam (1)) S 1 1 1 0 -1 4194368 9 0 0 0 250 31 0 0 20 0 9 0 1";
        assert_eq!(ticks_of(stat, "capture"), Some(281));
        assert_eq!(ticks_of(stat, "worker"), None);
    }
}
