//! Scenes with a known truth: what a camera over a street would detect, look by look, and which violations
//! there really were.
//!
//! Most are seen from the side at 1280x720: a far lane, a kerb where parking is forbidden, a near lane whose buses
//! hide the kerb, a pavement in front. Objects follow timed paths; nearer ones hide farther ones; a noisy detector
//! reports the rest. The generator knows nothing of the engine under test. Each kind of scene says what is fair
//! about it: a violation must be one that a person who sees the same looks would report.

pub mod baseline;
pub mod bikes;
pub mod board;
pub mod bump;
pub mod camera;
pub mod clock;
pub mod corridor;
pub mod crossing;
pub mod crowd;
pub mod dice;
pub mod dog;
pub mod draft;
pub mod gaps;
pub mod jsonl;
pub mod kerb;
pub mod lot;
pub mod mot;
pub mod night;
pub mod oracle;
pub mod pair;
pub mod play;
pub mod score;
pub mod sent;
pub mod shadow;
pub mod stall;
pub mod street;
pub mod visit;
pub mod world;

pub use camera::Noise;
pub use dice::Dice;
pub use street::street;

/// A kind of scene.
#[derive(Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    /// Makes one from a seed, the noise and the seconds between two looks.
    pub make: fn(u64, &Noise, f64) -> world::Scene,
    /// Seconds between two looks at which it is asked for.
    pub intervals: &'static [f64],
}

/// Five looks a second, and one key frame each two seconds.
const LIVE: &[f64] = &[0.2, 2.0];

/// All kinds of scene.
pub const KINDS: &[Kind] = &[
    Kind { name: "street", make: street, intervals: LIVE },
    Kind { name: "pair", make: pair::pair, intervals: LIVE },
    Kind { name: "gaps", make: gaps::gaps, intervals: LIVE },
    Kind { name: "bump", make: bump::bump, intervals: LIVE },
    Kind { name: "night", make: night::night, intervals: LIVE },
    Kind { name: "shadow", make: shadow::shadow, intervals: LIVE },
    Kind { name: "clock", make: clock::clock, intervals: LIVE },
    Kind { name: "bikes", make: bikes::bikes, intervals: LIVE },
    Kind { name: "crowd", make: crowd::crowd, intervals: LIVE },
    Kind { name: "stall", make: stall::stall, intervals: LIVE },
    Kind { name: "intrusion", make: visit::intrusion, intervals: LIVE },
    Kind { name: "loiter", make: visit::loiter, intervals: &[0.2] },
    Kind { name: "corridor", make: corridor::corridor, intervals: LIVE },
    Kind { name: "dog", make: dog::dog, intervals: LIVE },
    Kind { name: "lot", make: lot::lot, intervals: &[60.0] },
];
