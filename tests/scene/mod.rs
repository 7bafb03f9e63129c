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
pub mod crossing;
pub mod crowd;
pub mod dice;
pub mod draft;
pub mod gaps;
pub mod jsonl;
pub mod kerb;
pub mod mot;
pub mod night;
pub mod pair;
pub mod play;
pub mod score;
pub mod shadow;
pub mod street;
pub mod world;

pub use camera::Noise;
pub use dice::Dice;
pub use street::street;

/// A kind of scene: its name and what makes one from a seed, the noise and the seconds between two looks.
#[derive(Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    pub make: fn(u64, &Noise, f64) -> world::Scene,
}

/// All kinds of scene.
pub const KINDS: &[Kind] = &[
    Kind { name: "street", make: street },
    Kind { name: "pair", make: pair::pair },
    Kind { name: "gaps", make: gaps::gaps },
    Kind { name: "bump", make: bump::bump },
    Kind { name: "night", make: night::night },
    Kind { name: "shadow", make: shadow::shadow },
    Kind { name: "clock", make: clock::clock },
    Kind { name: "bikes", make: bikes::bikes },
    Kind { name: "crowd", make: crowd::crowd },
];
