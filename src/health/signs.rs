//! What one thumbnail shows of a view: light, features, sharpness, and whether it is the picture before.
//!
//! All measures are shares of the picture and not means, so that a lamp, a glare or a bus decides nothing.

use serde::{Deserialize, Serialize};

use crate::thumbnail::{COLUMNS, Thumbnail, halve};

/// Luma, 0-255, from which a cell is lit. A street without lamps at a sensor's highest gain has cells above it; a lens
/// with its cap on has none.
const LIT: f32 = 22.0;
/// Least share of lit cells in a picture that is not dark.
const LEAST_LIT: f32 = 0.01;
/// Second difference of luma over blocks of four by four cells from which there is a feature.
const FEATURE: f32 = 2.0;
/// The same in medians of what noise alone changes between two looks: 2.4 (of the difference) times 3, over 0.95.
const FEATURE_NOISE: f32 = 7.7;
/// Least share of blocks with a feature in a picture that is not covered. A street in a fog that takes five sixths of
/// its contrast has 20 %.
const LEAST_FEATURES: f32 = 0.04;
/// Second difference over blocks from which an edge is strong enough to be judged for its sharpness …
const EDGE: f32 = 8.0;
/// … and the least share of such blocks for the picture to be judged.
const LEAST_EDGES: f32 = 0.02;
/// Which of the blocks with an edge, in order of sharpness, speaks for all of them. A glare or drops on the lens leave
/// some edges sharp, a lens that is out of focus leaves none.
const SPOKESMAN: f32 = 0.85;

/// Blocks in a row: four cells each.
const BLOCKS: usize = COLUMNS / 4;

/// What one thumbnail shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Signs {
    /// Nothing is lit.
    pub(super) dark: bool,
    /// Nothing has an edge.
    pub(super) featureless: bool,
    /// It is the picture before, sample for sample.
    pub(super) repeated: bool,
    /// How sharp the better edges are: second difference over cells over that over blocks. `None` where there are too
    /// few edges to tell.
    pub(super) sharpness: Option<f32>,
}

/// Reads thumbnails one after the other. Buffers are reused.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Reader {
    #[serde(skip)]
    halves: Vec<f32>,
    /// Blocks of the look before, until the next is read.
    blocks: Vec<f32>,
    #[serde(skip)]
    before: Vec<f32>,
    #[serde(skip)]
    changes: Vec<f32>,
    #[serde(skip)]
    sharp: Vec<f32>,
    /// Median change at the look before.
    noise: f32,
    digest: Option<u64>,
}

impl Reader {
    /// Reads `small`, the thumbnail after the one that was read before.
    pub(super) fn read(&mut self, small: &Thumbnail) -> Signs {
        let cells = small.cells();
        let lit = cells.iter().filter(|&&luma| luma >= LIT).count();
        let dark = (lit as f32) < LEAST_LIT * cells.len() as f32;
        std::mem::swap(&mut self.before, &mut self.blocks);
        halve(cells, COLUMNS, &mut self.halves);
        halve(&self.halves, COLUMNS / 2, &mut self.blocks);
        let (featureless, sharpness) = self.edges(cells);
        let repeated = self.digest.replace(small.digest()) == Some(small.digest());
        Signs { dark, featureless, repeated, sharpness }
    }

    /// Whether there are no features, and how sharp the edges are.
    fn edges(&mut self, cells: &[f32]) -> (bool, Option<f32>) {
        let feature = FEATURE.max(FEATURE_NOISE * self.noise());
        let rows = self.blocks.len() / BLOCKS;
        let (mut inner, mut features) = (0, 0);
        self.sharp.clear();
        for row in 1..rows - 1 {
            for column in 1..BLOCKS - 1 {
                let coarse = bend(&self.blocks, BLOCKS, column, row);
                inner += 1;
                features += usize::from(coarse >= feature);
                if coarse >= EDGE.max(feature) {
                    let fine = (0..4).flat_map(|v| (0..4).map(move |u| (4 * column + u, 4 * row + v)));
                    let most = fine.map(|(x, y)| bend(cells, COLUMNS, x, y)).fold(0.0, f32::max);
                    self.sharp.push(most / coarse);
                }
            }
        }
        let featureless = (features as f32) < LEAST_FEATURES * inner as f32;
        let enough = self.sharp.len() as f32 >= LEAST_EDGES * inner as f32;
        let sharpness = enough.then(|| {
            let at = (self.sharp.len() as f32 * SPOKESMAN) as usize;
            *self.sharp.select_nth_unstable_by(at, f32::total_cmp).1
        });
        (featureless, sharpness)
    }

    /// Median change of a block from look to look: what moves changes few of them, noise changes all. Of the last two
    /// the lesser, as a lamp that goes on changes all of them once.
    fn noise(&mut self) -> f32 {
        if self.before.len() != self.blocks.len() {
            return 0.0;
        }
        self.changes.clear();
        self.changes.extend(self.blocks.iter().zip(&self.before).map(|(now, then)| (now - then).abs()));
        let middle = self.changes.len() / 2;
        let change = *self.changes.select_nth_unstable_by(middle, f32::total_cmp).1;
        std::mem::replace(&mut self.noise, change).min(change)
    }
}

/// The greater of the second differences across and down at a place in `plane`, which must not be at its edge. A
/// smooth gradient has none.
fn bend(plane: &[f32], columns: usize, x: usize, y: usize) -> f32 {
    let at = y * columns + x;
    let middle = 2.0 * plane[at];
    let across = (plane[at - 1] + plane[at + 1] - middle).abs();
    let down = (plane[at - columns] + plane[at + columns] - middle).abs();
    across.max(down)
}
