//! A scene in the making.

use super::Dice;
use super::camera::{Faults, Noise, film};
use super::world::{Scene, Thing, Violation};

/// What a kind of scene puts together before the camera looks at it.
#[derive(Clone, Debug)]
pub struct Draft {
    pub dice: Dice,
    pub things: Vec<Thing>,
    pub truth: Vec<Violation>,
    /// The thing that each of `truth` is about; unused by kinds that count.
    pub culprits: Vec<usize>,
    pub faults: Faults,
    pub restarts: Vec<f64>,
    pub busy: Vec<f64>,
}

impl Draft {
    fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            things: Vec::new(),
            truth: Vec::new(),
            culprits: Vec::new(),
            faults: Faults::default(),
            restarts: Vec::new(),
            busy: Vec::new(),
        }
    }

    /// Stops the engine at a random time before `end` in three scenes of ten.
    pub fn restart_sometimes(&mut self, end: f64) {
        if self.dice.chance(0.3) {
            self.restarts.push(self.dice.between(30.0, end));
        }
    }

    /// Notes when something changes: what comes, goes or falls due.
    pub fn note_busy(&mut self) {
        self.busy.extend(self.truth.iter().flat_map(|v| [Some(v.from), v.until, Some(v.due)]).flatten());
    }
}

/// Films the scene of `seed` that `build` puts together, `length_s` long and watched by `zones`. What happens where
/// nobody can see it is not a fair question: `build` says so by returning `false`, and the scene is drawn again.
pub fn scene(
    (name, zones, length_s): (&str, String, f64),
    seed: u64,
    noise: &Noise,
    interval: f64,
    build: impl Fn(&mut Draft) -> bool,
) -> Scene {
    let mut drawn = (0..10_000u64).filter_map(|attempt| {
        let mut draft = Draft::new(seed * 1000 + attempt);
        build(&mut draft).then_some(draft)
    });
    let mut draft = drawn.next().expect("most scenes are fair");
    let looks = film(&draft.things, &draft.faults, length_s, interval, noise, &mut draft.dice);
    let name = format!("{name} {seed} {} {interval} s", noise.name);
    let Draft { things, truth, culprits, faults, restarts, busy, .. } = draft;
    Scene {
        name,
        zones,
        length_s,
        interval_s: interval,
        things,
        faults,
        looks,
        truth,
        culprits,
        restarts,
        busy,
    }
}
