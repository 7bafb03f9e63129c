//! From the picture to the ground: the projective map between the two planes, fitted to pairs of points.
//!
//! # Invariants
//! - A fit is made only of points that fix all eight degrees of freedom, with margin; anything else is refused
//!   and says why.
//! - What lies at or beyond the horizon has no place on the ground.

/// Least number of pairs: each gives two equations for eight unknowns.
pub const LEAST_PAIRS: usize = 4;
/// Most pairs; more than a person sets.
pub const MOST_PAIRS: usize = 64;
/// Points whose extent across a line is below this share of their extent along it lie on that line.
const FLAT: f64 = 0.01;
/// Points of the picture nearer to each other than this, 0-1, are the same.
const SAME_PICTURE: f64 = 0.002;
/// Points of the ground nearer to each other than this, in metres, are the same.
const SAME_GROUND_M: f64 = 0.05;
/// From this many pairs on, the fit without one of them can still be judged, so that a bad one shows.
const PAIRS_TO_SUSPECT: usize = 6;
/// A pair is suspected when the fit without it has a residual this many times smaller …
const MUCH_BETTER: f64 = 2.5;
/// … and puts it off by at least so many metres.
const FAR_OFF_M: f64 = 0.5;

/// A 3 by 3 matrix, rows first.
pub type Matrix = [[f64; 3]; 3];

/// One point in the picture and on the ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// In the picture, 0-1; 0,0 is the top left.
    pub picture: [f64; 2],
    /// On the ground, metres east and north of an origin nearby.
    pub ground: [f64; 2],
}

/// Which of the two planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The camera's picture.
    Picture,
    /// The ground.
    Ground,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Picture => "in the picture",
            Self::Ground => "on the ground",
        })
    }
}

/// Why pairs of points do not fix a homography. Points are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum HomographyFault {
    /// Too few or too many.
    #[error("{0} points: expected {LEAST_PAIRS} to {MOST_PAIRS}, better 6 or more")]
    Number(usize),
    /// A point outside the picture, or not a number.
    #[error("point {number} is [{x}, {y}] in the picture: expected values from 0 to 1, 0,0 at the top left")]
    Outside {
        /// Which point.
        number: usize,
        /// Its x.
        x: f64,
        /// Its y.
        y: f64,
    },
    /// Coordinates on the ground that are not numbers.
    #[error("point {0} has no place on the ground: expected finite coordinates")]
    NotFinite(usize),
    /// One point given twice.
    #[error("points {first} and {second} are the same {side}: expected points of their own")]
    Same {
        /// One.
        first: usize,
        /// The other.
        second: usize,
        /// Where.
        side: Side,
    },
    /// All points on a line.
    #[error(
        "all points lie on one line {0}: expected points around the area that the zones cover, not along it"
    )]
    Line(Side),
    /// All points but one on a line.
    #[error(
        "all points but point {but} lie on one line {side}: expected at least two away from it, such as the four corners of a parking bay"
    )]
    LineButOne {
        /// The one beside it.
        but: usize,
        /// Where.
        side: Side,
    },
    /// The points cannot all be on ground that the camera sees.
    #[error(
        "the points cannot all lie on one flat ground before the camera: point {0} would be behind the horizon. Expected pairs that belong together: are two of them mixed up, or longitude and latitude?"
    )]
    Horizon(usize),
    /// The equations have no single solution.
    #[error("the points do not fix the ground: expected points that are further apart in both directions")]
    Undetermined,
}

/// A map from the picture, 0-1, to a plane in metres, and back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Homography {
    forward: Matrix,
    backward: Matrix,
}

/// A homography and how well it agrees with its pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The homography.
    pub homography: Homography,
    /// For each pair, metres from where it is on the ground to where the homography puts it.
    pub residuals_m: Vec<f64>,
    /// Root mean square of the residuals. Four points always fit, so theirs say nothing.
    pub rms_m: f64,
    /// For each pair, metres from where it is to where a fit without it puts it; `None` where the others do not
    /// fix a homography.
    pub left_out_m: Vec<Option<f64>>,
    /// Pairs, by index, without which all others agree far better.
    pub suspects: Vec<usize>,
}

impl Fit {
    /// Standard deviation in metres of a point on the ground that the pairs let expect: residuals over the
    /// degrees of freedom left, two a pair less eight. `None` for four pairs.
    pub fn accuracy_m(&self) -> Option<f64> {
        let spare = self.residuals_m.len().checked_sub(LEAST_PAIRS).filter(|&spare| spare > 0)?;
        let squares: f64 = self.residuals_m.iter().map(|r| r * r).sum();
        Some((squares / spare as f64).sqrt())
    }
}

impl Homography {
    /// The homography that agrees best with `pairs`: the normalised direct linear transformation, which
    /// minimises the algebraic error (Hartley and Zisserman, Multiple View Geometry, 2nd edition, algorithm 4.2).
    ///
    /// # Errors
    /// [`HomographyFault`] when there are too few or too many pairs, or they do not fix a homography.
    pub fn fit(pairs: &[Pair]) -> Result<Fit, HomographyFault> {
        check(pairs)?;
        let homography = solve(pairs)?;
        let residuals_m: Vec<f64> = pairs.iter().map(|pair| homography.off_m(pair)).collect();
        let rms_m = rms(&residuals_m);
        let mut left_out_m = Vec::with_capacity(pairs.len());
        let mut suspects = Vec::new();
        for index in 0..pairs.len() {
            let (others, one) = without(pairs, index);
            let other = (others.len() >= LEAST_PAIRS)
                .then(|| check(&others).and_then(|()| solve(&others)))
                .and_then(Result::ok);
            let off = other.map(|other| other.off_m(&one)).filter(|off| off.is_finite());
            left_out_m.push(off);
            if let (Some(other), Some(off)) = (other, off)
                && pairs.len() >= PAIRS_TO_SUSPECT
            {
                let rest: Vec<f64> = others.iter().map(|pair| other.off_m(pair)).collect();
                if rms(&rest) * MUCH_BETTER < rms_m && off >= FAR_OFF_M {
                    suspects.push(index);
                }
            }
        }
        Ok(Fit { homography, residuals_m, rms_m, left_out_m, suspects })
    }

    /// The map with this matrix, for points with a positive third coordinate. `None` when it has no inverse or
    /// an element that is not a number.
    pub fn new(forward: Matrix) -> Option<Self> {
        let backward = inverse(&forward)?;
        Some(Self { forward, backward })
    }

    /// Its matrix, from `[x, y, 1]` in the picture to `[e w, n w, w]` on the ground; `w` is positive on this side
    /// of the horizon.
    pub fn matrix(&self) -> &Matrix {
        &self.forward
    }

    /// The point on the ground, metres east and north, that shows at `picture`; `None` at or above the horizon.
    pub fn to_ground(&self, picture: [f64; 2]) -> Option<[f64; 2]> {
        apply(&self.forward, picture)
    }

    /// Where a point on the ground shows, in coordinates that are 0-1 in the picture and go on outside of it;
    /// `None` for what lies beside or behind the camera.
    pub fn to_picture(&self, ground: [f64; 2]) -> Option<[f64; 2]> {
        apply(&self.backward, ground)
    }

    /// How far a small step in the picture leads on the ground at `picture`: `[[de/dx, de/dy], [dn/dx, dn/dy]]`
    /// in metres for the whole width or height of the picture. `None` at or above the horizon.
    pub fn slope(&self, picture: [f64; 2]) -> Option<[[f64; 2]; 2]> {
        let [e, n] = self.to_ground(picture)?;
        let [a, b, c] = &self.forward;
        let w = c[0] * picture[0] + c[1] * picture[1] + c[2];
        Some([[(a[0] - e * c[0]) / w, (a[1] - e * c[1]) / w], [(b[0] - n * c[0]) / w, (b[1] - n * c[1]) / w]])
    }

    /// Whether the picture shows the ground mirrored at `picture`, as no camera above it sees it.
    pub fn is_mirrored(&self, picture: [f64; 2]) -> bool {
        // Right and down in the picture are east and south on a map with north up: seen from above the
        // determinant is negative, however the camera is turned.
        self.slope(picture).is_some_and(|[e, n]| e[0] * n[1] - e[1] * n[0] > 0.0)
    }

    fn off_m(&self, pair: &Pair) -> f64 {
        self.to_ground(pair.picture).map_or(f64::INFINITY, |at| distance(at, pair.ground))
    }
}

/// Refuses pairs that do not fix a homography.
fn check(pairs: &[Pair]) -> Result<(), HomographyFault> {
    if !(LEAST_PAIRS..=MOST_PAIRS).contains(&pairs.len()) {
        return Err(HomographyFault::Number(pairs.len()));
    }
    for (index, pair) in pairs.iter().enumerate() {
        let [x, y] = pair.picture;
        if !((0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y)) {
            return Err(HomographyFault::Outside { number: index + 1, x, y });
        }
        if !pair.ground.iter().all(|v| v.abs() < 1e7) {
            return Err(HomographyFault::NotFinite(index + 1));
        }
    }
    for (side, least) in [(Side::Picture, SAME_PICTURE), (Side::Ground, SAME_GROUND_M)] {
        let points: Vec<[f64; 2]> = pairs.iter().map(|pair| pair.on(side)).collect();
        for second in 0..points.len() {
            let twin = (0..second).find(|&first| distance(points[first], points[second]) < least);
            if let Some(first) = twin {
                return Err(HomographyFault::Same { first: first + 1, second: second + 1, side });
            }
        }
        if is_flat(points.iter()) {
            return Err(HomographyFault::Line(side));
        }
        for but in 0..points.len() {
            let others = points.iter().enumerate().filter(|(index, _)| *index != but);
            if is_flat(others.map(|(_, point)| point)) {
                return Err(HomographyFault::LineButOne { but: but + 1, side });
            }
        }
    }
    Ok(())
}

impl Pair {
    fn on(&self, side: Side) -> [f64; 2] {
        match side {
            Side::Picture => self.picture,
            Side::Ground => self.ground,
        }
    }
}

/// Whether points lie on a line: the ratio of the two principal extents.
fn is_flat<'a>(points: impl Iterator<Item = &'a [f64; 2]> + Clone) -> bool {
    let count = points.clone().count() as f64;
    let mean = |axis: usize| points.clone().map(|p| p[axis]).sum::<f64>() / count;
    let (mx, my) = (mean(0), mean(1));
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for &[x, y] in points {
        xx += (x - mx) * (x - mx);
        xy += (x - mx) * (y - my);
        yy += (y - my) * (y - my);
    }
    // Eigenvalues of the scatter matrix; the smaller by the product of both, which loses no digits.
    let large = (xx + yy) / 2.0 + ((xx - yy) / 2.0).hypot(xy);
    let small = ((xx * yy - xy * xy) / large).max(0.0);
    large <= 0.0 || (small / large).sqrt() < FLAT
}

/// All pairs but number `index`, and that one.
fn without(pairs: &[Pair], index: usize) -> (Vec<Pair>, Pair) {
    let mut others = pairs.to_vec();
    let one = others.remove(index);
    (others, one)
}

/// The direct linear transformation of checked pairs.
fn solve(pairs: &[Pair]) -> Result<Homography, HomographyFault> {
    let picture = Normal::of(pairs.iter().map(|pair| pair.picture));
    let ground = Normal::of(pairs.iter().map(|pair| pair.ground));
    let mut normal = [[0.0; 9]; 9];
    for pair in pairs {
        let ([x, y], [e, n]) = (picture.apply(pair.picture), ground.apply(pair.ground));
        for row in
            [[x, y, 1.0, 0.0, 0.0, 0.0, -e * x, -e * y, -e], [0.0, 0.0, 0.0, x, y, 1.0, -n * x, -n * y, -n]]
        {
            for (i, a) in row.iter().enumerate() {
                for (j, b) in row.iter().enumerate() {
                    normal[i][j] += a * b;
                }
            }
        }
    }
    let (values, vectors) = eigen(normal);
    let mut order: Vec<usize> = (0..9).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    // Two directions without weight: more than one homography fits.
    let margin = values[order[1]] / values[order[8]];
    if margin.is_nan() || margin <= 1e-12 {
        return Err(HomographyFault::Undetermined);
    }
    let h: [f64; 9] = std::array::from_fn(|i| vectors[i][order[0]]);
    let h = [[h[0], h[1], h[2]], [h[3], h[4], h[5]], [h[6], h[7], h[8]]];
    let h = product(&ground.inverse(), &product(&h, &picture.matrix()));
    // The third coordinate is 1 at the middle of the points, and positive at each of them.
    let third = |[x, y]: [f64; 2]| h[2][0] * x + h[2][1] * y + h[2][2];
    let scale = pairs.iter().map(|pair| third(pair.picture)).sum::<f64>() / pairs.len() as f64;
    if scale == 0.0 || !scale.is_finite() {
        return Err(HomographyFault::Undetermined);
    }
    if let Some(behind) = pairs.iter().position(|pair| third(pair.picture) / scale < 1e-6) {
        return Err(HomographyFault::Horizon(behind + 1));
    }
    Homography::new(h.map(|row| row.map(|v| v / scale))).ok_or(HomographyFault::Undetermined)
}

/// Moves points to mean 0 and mean square distance 2 from it, which makes the equations well conditioned.
struct Normal {
    mean: [f64; 2],
    scale: f64,
}

impl Normal {
    fn of(points: impl Iterator<Item = [f64; 2]> + Clone) -> Self {
        let count = points.clone().count() as f64;
        let mean = [0, 1].map(|axis| points.clone().map(|p| p[axis]).sum::<f64>() / count);
        let squares: f64 = points.map(|p| distance(p, mean).powi(2)).sum();
        Self { mean, scale: (2.0 * count / squares).sqrt() }
    }

    fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [(x - self.mean[0]) * self.scale, (y - self.mean[1]) * self.scale]
    }

    fn matrix(&self) -> Matrix {
        let s = self.scale;
        [[s, 0.0, -s * self.mean[0]], [0.0, s, -s * self.mean[1]], [0.0, 0.0, 1.0]]
    }

    fn inverse(&self) -> Matrix {
        let s = 1.0 / self.scale;
        [[s, 0.0, self.mean[0]], [0.0, s, self.mean[1]], [0.0, 0.0, 1.0]]
    }
}

/// Eigenvalues of a symmetric matrix and its eigenvectors in columns: cyclic Jacobi rotations (Golub and Van Loan,
/// Matrix Computations, 4th edition, section 8.5).
fn eigen<const N: usize>(mut a: [[f64; N]; N]) -> ([f64; N], [[f64; N]; N]) {
    let mut vectors: [[f64; N]; N] = std::array::from_fn(|i| std::array::from_fn(|j| f64::from(i == j)));
    // It converges quadratically; some 8 sweeps are enough, and a matrix with a NaN never would.
    for _ in 0..30 {
        let off: f64 = (0..N).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i][j].abs()).sum();
        if off == 0.0 || !off.is_finite() {
            break;
        }
        for p in 0..N {
            for q in p + 1..N {
                if a[p][q] == 0.0 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = if theta >= 0.0 { 1.0 } else { -1.0 } / (theta.abs() + theta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = t * c;
                for row in &mut a {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                let (up, uq) = (a[p], a[q]);
                a[p] = std::array::from_fn(|k| c * up[k] - s * uq[k]);
                a[q] = std::array::from_fn(|k| s * up[k] + c * uq[k]);
                for row in &mut vectors {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
            }
        }
    }
    (std::array::from_fn(|i| a[i][i]), vectors)
}

fn apply(m: &Matrix, [x, y]: [f64; 2]) -> Option<[f64; 2]> {
    let [a, b, w] = m.map(|row| row[0] * x + row[1] * y + row[2]);
    let at = [a / w, b / w];
    (w > 0.0 && at.iter().all(|v| v.is_finite())).then_some(at)
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// The inverse by cofactors; `None` when there is none.
fn inverse(m: &Matrix) -> Option<Matrix> {
    let cofactor = |i: usize, j: usize| {
        let (r, s) = ((i + 1) % 3, (i + 2) % 3);
        let (t, u) = ((j + 1) % 3, (j + 2) % 3);
        m[r][t] * m[s][u] - m[r][u] * m[s][t]
    };
    let determinant: f64 = (0..3).map(|j| m[0][j] * cofactor(0, j)).sum();
    let inverse: Matrix = std::array::from_fn(|i| std::array::from_fn(|j| cofactor(j, i) / determinant));
    inverse.iter().flatten().all(|v| v.is_finite()).then_some(inverse)
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests;
