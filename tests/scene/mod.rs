//! Scenes with a known truth: what a camera over a street would detect, look by look, and which violations
//! there really were.
//!
//! The street is seen from the side at 1280x720: a far lane, a kerb where parking is forbidden, a near lane
//! whose buses hide the kerb, a pavement in front. Objects follow timed paths; nearer ones hide farther ones; a
//! noisy detector reports the rest. The generator knows nothing of the engine under test.

pub mod dice;
pub mod score;
pub mod street;
pub mod world;

pub use dice::Dice;
pub use street::street;
pub use world::Noise;
