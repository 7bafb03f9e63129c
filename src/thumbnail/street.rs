//! A street that is drawn, for tests of health and gate: by day and night, in fog, rain and headlights, with what
//! drives and stands in it, seen by a camera that can be noisy, blurred, bumped or covered.

use crate::clock::CaptureTime;
use crate::frame::Frame;

/// Size of its pictures in pixels.
pub(crate) const SIZE: (usize, usize) = (480, 264);
/// How much more of the street there is on each side than a picture shows.
const MARGIN: usize = 160;

/// A thing in the picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thing {
    /// Left, top, width and height, 0-1.
    pub(crate) place: [f32; 4],
    /// How bright it is beside the road, 0-255.
    pub(crate) tone: f32,
}

/// What is to be seen, and through what.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Share of daylight.
    pub(crate) light: f32,
    /// Share of contrast that fog takes.
    pub(crate) fog: f32,
    /// Standard deviation of the sensor's noise, 0-255.
    pub(crate) noise: f32,
    /// Standard deviation of the lens's blur in pixels.
    pub(crate) blur: f32,
    /// How far the camera was turned, in pixels.
    pub(crate) turned: (isize, isize),
    /// Streaks of rain in the picture.
    pub(crate) rain: usize,
    /// Where the middle of a headlight's beam lies, 0-1, and how much light it adds to daylight.
    pub(crate) beam: Option<(f32, f32)>,
    /// A glare in the lens: where, how large, how bright.
    pub(crate) glare: Option<(f32, f32, f32)>,
    pub(crate) things: Vec<Thing>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            light: 1.0,
            fog: 0.0,
            noise: 2.0,
            blur: 0.0,
            turned: (0, 0),
            rain: 0,
            beam: None,
            glare: None,
            things: Vec::new(),
        }
    }
}

/// A number from 0 to 1 that follows from two.
pub(crate) fn chance(a: u64, b: u64) -> f32 {
    (bits(a, b) >> 40) as f32 / (1_u64 << 24) as f32
}

/// Bits that follow from two numbers.
fn bits(a: u64, b: u64) -> u64 {
    // SplitMix64 (Steele et al. 2014).
    let mut z = a.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(b.wrapping_mul(0xd1b5_4a32_d192_ed03));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Reflectance of a street, 0-255: houses with windows, trees, a kerb, a road with lines.
#[derive(Clone)]
pub(crate) struct Street {
    wide: usize,
    ground: Vec<f32>,
    pictures: u64,
}

impl Street {
    /// Street number `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let (wide, tall) = (SIZE.0 + 2 * MARGIN, SIZE.1 + 2 * MARGIN);
        let smooth = |x: usize, y: usize, size: usize, of: u64| {
            let at = |x: usize, y: usize| chance(seed * 31 + of, (y * 7919 + x) as u64);
            let (fx, fy) = ((x % size) as f32 / size as f32, (y % size) as f32 / size as f32);
            let (x, y) = (x / size, y / size);
            let upper = at(x, y) * (1.0 - fx) + at(x + 1, y) * fx;
            let lower = at(x, y + 1) * (1.0 - fx) + at(x + 1, y + 1) * fx;
            upper * (1.0 - fy) + lower * fy
        };
        let horizon = MARGIN + SIZE.1 * 2 / 5;
        let mut ground = Vec::with_capacity(wide * tall);
        for y in 0..tall {
            for x in 0..wide {
                let grain = 14.0 * chance(seed + 5, (y * wide + x) as u64) - 7.0;
                let luma = if y < horizon {
                    let house = x / 90;
                    let wall = 70.0 + 110.0 * chance(seed + 1, house as u64);
                    let (u, v) = (x % 90 % 22, y % 30);
                    let window = (6..16).contains(&u) && (8..22).contains(&v);
                    if house % 4 == 3 {
                        40.0 + 90.0 * smooth(x, y, 9, 2) + 40.0 * smooth(x, y, 3, 3)
                    } else if window {
                        25.0 + 60.0 * chance(seed + 7, (house * 1000 + x / 22 * 40 + y / 30) as u64)
                    } else {
                        wall + 20.0 * smooth(x, y, 5, 4)
                    }
                } else if y < horizon + 12 {
                    190.0
                } else {
                    let line = (y - horizon) % 60 < 4 && x % 70 < 40;
                    let road = 85.0 + 40.0 * smooth(x, y, 24, 6) + 14.0 * smooth(x, y, 6, 7);
                    if line { 215.0 } else { road }
                };
                ground.push((luma + grain).clamp(4.0, 250.0));
            }
        }
        Self { wide, ground, pictures: 0 }
    }

    /// The next picture, taken at `seconds`.
    pub(crate) fn picture(&mut self, view: &View, seconds: f64) -> Frame {
        self.pictures += 1;
        let (width, height) = SIZE;
        let mut luma = vec![0.0_f32; width * height];
        let corner = |turned: isize| MARGIN.saturating_add_signed(turned);
        let (left, top) = (corner(view.turned.0), corner(view.turned.1));
        for y in 0..height {
            let from = (top + y) * self.wide + left;
            luma[y * width..(y + 1) * width].copy_from_slice(&self.ground[from..from + width]);
        }
        for thing in &view.things {
            draw(&mut luma, thing);
        }
        for y in 0..height {
            for x in 0..width {
                let pixel = &mut luma[y * width + x];
                let mut light = view.light;
                if let Some((middle, more)) = view.beam {
                    let (dx, dy) = (x as f32 / width as f32 - middle, y as f32 / height as f32 - 0.7);
                    light += more * (-(dx * dx / 0.02 + dy * dy / 0.06)).exp();
                }
                *pixel *= light;
                if let Some((middle, size, more)) = view.glare {
                    let (dx, dy) = (x as f32 / width as f32 - middle, y as f32 / height as f32 - 0.6);
                    *pixel += more * (-(dx * dx + dy * dy) / (2.0 * size * size)).exp();
                }
                *pixel = *pixel * (1.0 - view.fog) + 150.0 * view.light * view.fog;
            }
        }
        if view.blur > 0.0 {
            blur(&mut luma, view.blur);
        }
        for streak in 0..view.rain {
            let at = |of: u64| chance(self.pictures * 4096 + streak as u64, of);
            let (x, y) = (at(1) * (width - 1) as f32, at(2) * (height - 20) as f32);
            for step in 0..16 {
                let x = (x + step as f32 * 0.2) as usize % width;
                luma[(y as usize + step) * width + x] += 60.0 * view.light.max(0.3);
            }
        }
        let pixel = |(at, luma): (usize, f32)| {
            let bits = bits(self.pictures, at as u64);
            let one = |at: u64| (bits >> (16 * at) & 0xffff) as f32 / 65_536.0 - 0.5;
            // Twelve of these have a variance of one; four of them one third.
            let noise = (one(0) + one(1) + one(2) + one(3)) * 1.732;
            (luma + view.noise * noise).round().clamp(0.0, 255.0) as u8
        };
        let y = luma.into_iter().enumerate().map(pixel).collect();
        let chroma = vec![128; width * height / 4];
        let captured = CaptureTime::default().plus_seconds(seconds);
        Frame {
            width,
            height,
            full_range: true,
            y,
            u: chroma.clone(),
            v: chroma,
            captured,
            ..Frame::default()
        }
    }
}

fn draw(luma: &mut [f32], thing: &Thing) {
    let (width, height) = SIZE;
    let [left, top, wide, tall] = thing.place;
    let (w, h) = ((wide * width as f32) as isize, (tall * height as f32) as isize);
    let (left, top) = ((left * width as f32) as isize, (top * height as f32) as isize);
    for v in 0..h {
        for u in 0..w {
            let (x, y) = (left + u, top + v);
            if !(0..width as isize).contains(&x) || !(0..height as isize).contains(&y) {
                continue;
            }
            // A body with a darker upper part and wheels, or a head and legs.
            let part = match (3 * v / h.max(1), 4 * u / w.max(1)) {
                (0, _) => 0.6,
                (2, 0 | 3) => 0.3,
                _ => 1.0,
            };
            luma[y as usize * width + x as usize] = thing.tone * part;
        }
    }
}

/// Three box filters one after the other, which is nearly a Gaussian.
fn blur(luma: &mut [f32], deviation: f32) {
    let (width, height) = SIZE;
    let reach = ((deviation * deviation * 4.0 + 1.0).sqrt() / 2.0).round().max(1.0) as isize;
    let mut pass = |count: usize, length: usize, start: &dyn Fn(usize) -> usize, step: usize| {
        let mut line = vec![0.0; length];
        for index in 0..count {
            let from = start(index);
            line.iter_mut().enumerate().for_each(|(at, value)| *value = luma[from + at * step]);
            for at in 0..length as isize {
                let window =
                    (at - reach..=at + reach).map(|at| line[at.clamp(0, length as isize - 1) as usize]);
                luma[from + at as usize * step] = window.sum::<f32>() / (2 * reach + 1) as f32;
            }
        }
    };
    for _ in 0..3 {
        pass(height, width, &|row| row * width, 1);
        pass(width, height, &|column| column, width);
    }
}
