//! The loop that is measured, planes in and tracked detections out, against the bare network.
//!
//! Both are timed in turns, look by look, on the same frames: a machine that is busy with something else slows
//! both alike, so their ratio holds where neither time does.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::allocator::allocations;
use super::machine;
use crate::case::catalog::CATALOG;
use crate::clock::CaptureTime;
use crate::detect::{Detection, Detector as _, OnnxDetector};
use crate::error::Result;
use crate::frame::Frame;
use crate::track::{Track, Tracker};

/// Looks a second that a camera is given by default.
pub const LOOKS_PER_S: f64 = 5.0;
/// Share of a core that may be busy with looks: the rest is decoding, delivery and room for jitter. A queue
/// that is served this far waits little more than one look.
pub const UTILISATION: f64 = 0.7;
/// Fewest looks that are measured, however short the time.
const LEAST_LOOKS: usize = 20;

/// Detector and tracker of one camera.
pub struct LoopUnderTest {
    detector: OnnxDetector,
    tracker: Tracker,
    detections: Vec<Detection>,
    groups: Vec<u16>,
    group_of_label: Vec<u16>,
    score: f32,
    at: CaptureTime,
}

impl LoopUnderTest {
    /// Around `detector`, for detections of at least `score`.
    pub fn new(detector: OnnxDetector, score: f32) -> Self {
        let mut names = Vec::new();
        let group_of_label = detector.vocabulary().names().iter().map(|label| {
            let group = CATALOG.group(label).to_owned();
            let at = names.iter().position(|known| *known == group).unwrap_or_else(|| {
                names.push(group);
                names.len() - 1
            });
            at as u16
        });
        Self {
            group_of_label: group_of_label.collect(),
            detector,
            tracker: Tracker::default(),
            detections: Vec::new(),
            groups: Vec::new(),
            score,
            at: CaptureTime::default(),
        }
    }

    /// One look at `frame`, 1 / [`LOOKS_PER_S`] seconds after the last.
    ///
    /// # Errors
    /// When inference fails.
    pub fn look(&mut self, frame: &Frame) -> Result<()> {
        self.at = self.at.plus_seconds(1.0 / LOOKS_PER_S);
        self.detector.detect(frame, self.score, &mut self.detections)?;
        self.groups.clear();
        self.groups.extend(
            self.detections
                .iter()
                .map(|d| self.group_of_label.get(usize::from(d.label.0)).copied().unwrap_or(u16::MAX)),
        );
        self.tracker.look(self.at, &self.detections, &self.groups);
        Ok(())
    }

    /// The network alone, on the input that the last look left.
    ///
    /// # Errors
    /// When inference fails.
    pub fn bare(&mut self) -> Result<()> {
        self.detector.session_mut().run(|_, outputs| {
            black_box(outputs);
        })
    }

    /// What the last look saw.
    pub fn detections(&self) -> &[Detection] {
        &self.detections
    }

    /// What is tracked.
    pub fn tracks(&self) -> &[Track] {
        self.tracker.tracks()
    }
}

/// How long something took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Timings {
    /// Median.
    pub p50: f64,
    /// 99 in 100 took no longer.
    pub p99: f64,
    /// Mean.
    pub mean: f64,
}

impl Timings {
    /// Of `times`, at least one.
    fn of(times: &mut [Duration]) -> Self {
        times.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        // Nearest rank.
        let at = |part: f64| {
            let rank = (part * times.len() as f64).ceil() as usize;
            times.get(rank.max(1) - 1).copied().map_or(0.0, ms)
        };
        let sum: Duration = times.iter().sum();
        Self { p50: at(0.5), p99: at(0.99), mean: ms(sum) / times.len().max(1) as f64 }
    }
}

/// What was measured of one model.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Looks that were timed, and as many bare runs.
    pub looks: usize,
    /// The network alone.
    pub bare_ms: Timings,
    /// Planes to tracked detections.
    pub whole_ms: Timings,
    /// Median of the whole over the median of the bare.
    pub overhead: f64,
    /// Looks for each second of processor time, all threads together.
    pub looks_per_cpu_s: f64,
    /// Bare runs for each second of processor time.
    pub bare_per_cpu_s: f64,
    /// Heap allocations on a look outside of ONNX Runtime, once warm: the most seen. Null when the program
    /// does not count.
    pub allocations: Option<u64>,
    /// Objects on a look, on average.
    pub objects: f64,
    /// Cameras at [`LOOKS_PER_S`] for each core: `UTILISATION * looks_per_cpu_s / LOOKS_PER_S`.
    pub cameras_per_core: f64,
}

/// Looks at `frames` over and over for `seconds`, whole and bare in turns. Goes over all frames once before,
/// for warming up.
///
/// # Errors
/// When inference fails.
pub fn measure(under_test: &mut LoopUnderTest, frames: &[Frame], seconds: f64) -> Result<Measured> {
    for frame in frames.iter().chain(frames.first()) {
        under_test.look(frame)?;
        under_test.bare()?;
    }
    let (mut whole, mut bare) = (Vec::new(), Vec::new());
    let (mut whole_cpu, mut bare_cpu) = (0.0, 0.0);
    let (mut objects, mut most) = (0, None);
    let began = Instant::now();
    for frame in frames.iter().cycle() {
        if whole.len() >= LEAST_LOOKS && began.elapsed().as_secs_f64() >= seconds {
            break;
        }
        let start = (Instant::now(), machine::cpu_s());
        let (looked, count) = allocations(|| under_test.look(frame));
        let middle = (Instant::now(), machine::cpu_s());
        looked?;
        under_test.bare()?;
        let end = (Instant::now(), machine::cpu_s());
        whole.push(middle.0 - start.0);
        bare.push(end.0 - middle.0);
        whole_cpu += middle.1 - start.1;
        bare_cpu += end.1 - middle.1;
        objects += under_test.detections().len();
        most = most.max(count);
    }
    let looks = whole.len();
    let (whole_ms, bare_ms) = (Timings::of(&mut whole), Timings::of(&mut bare));
    let looks_per_cpu_s = looks as f64 / whole_cpu;
    Ok(Measured {
        looks,
        bare_ms,
        whole_ms,
        overhead: whole_ms.p50 / bare_ms.p50,
        looks_per_cpu_s,
        bare_per_cpu_s: looks as f64 / bare_cpu,
        allocations: most,
        objects: objects as f64 / looks as f64,
        cameras_per_core: UTILISATION * looks_per_cpu_s / LOOKS_PER_S,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut times: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(Timings::of(&mut times), Timings { p50: 50.0, p99: 99.0, mean: 50.5 });
        assert_eq!(Timings::of(&mut [Duration::from_millis(7)]), Timings { p50: 7.0, p99: 7.0, mean: 7.0 });
    }
}
