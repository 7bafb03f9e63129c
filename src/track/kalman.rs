//! Where a tracked box is and where it is going: one constant-velocity Kalman filter per axis of its centre.

use serde::{Deserialize, Serialize};

/// Standard deviation of a measured centre, in box sizes: detectors place a box to within a few per cent of
/// its size.
const MEASURED: f32 = 0.06;
/// Standard deviation of the acceleration, in box sizes per second squared. A car of 4.5 m brakes at up to
/// 4 m/s², a walker of 1.7 m starts at about 1.5 m/s²: both are near 0.9.
const ACCELERATION: f32 = 0.9;
/// Standard deviation of the velocity of a new track, in box sizes per second.
const FIRST_VELOCITY: f32 = 2.0;

/// Position and velocity along one axis, with their covariance. Units: 0-1 of the picture, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Axis {
    /// Position.
    pub(crate) position: f32,
    /// Velocity per second.
    pub(crate) velocity: f32,
    // Covariance: position, cross term, velocity.
    pp: f32,
    pv: f32,
    vv: f32,
}

impl Axis {
    /// A first measurement of something `size` large along this axis.
    pub(crate) fn new(position: f32, size: f32) -> Self {
        let square = |std: f32| (std * size) * (std * size);
        Self { position, velocity: 0.0, pp: square(MEASURED), pv: 0.0, vv: square(FIRST_VELOCITY) }
    }

    /// Moves the estimate `dt` seconds on, under white acceleration noise.
    pub(crate) fn predict(&mut self, dt: f32, size: f32) {
        let q = (ACCELERATION * size) * (ACCELERATION * size);
        self.position += self.velocity * dt;
        self.pp += dt * (2.0 * self.pv + dt * self.vv) + q * dt.powi(4) / 4.0;
        self.pv += dt * self.vv + q * dt.powi(3) / 2.0;
        self.vv += q * dt * dt;
    }

    /// Takes a measurement in.
    pub(crate) fn correct(&mut self, measured: f32, size: f32) {
        let r = (MEASURED * size) * (MEASURED * size);
        let innovation = self.pp + r;
        if innovation <= 0.0 {
            self.position = measured;
            return;
        }
        let (gain_p, gain_v) = (self.pp / innovation, self.pv / innovation);
        let residual = measured - self.position;
        self.position += gain_p * residual;
        self.velocity += gain_v * residual;
        self.vv -= gain_v * self.pv;
        self.pv -= gain_p * self.pv;
        self.pp -= gain_p * self.pp;
    }

    /// Variance of where something `size` large is measured next.
    pub(crate) fn spread(&self, size: f32) -> f32 {
        self.pp + (MEASURED * size) * (MEASURED * size)
    }

    /// Lets the velocity fade: what was not seen again is not believed to go on for ever.
    pub(crate) fn fade(&mut self, keep: f32) {
        self.velocity *= keep;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_walk_is_predicted_ahead() {
        let mut axis = Axis::new(0.10, 0.1);
        for look in 1..=20 {
            axis.predict(0.2, 0.1);
            axis.correct(0.10 + 0.01 * look as f32, 0.1);
        }
        assert!((axis.velocity - 0.05).abs() < 0.002, "0.01 each 0.2 s is 0.05/s, got {}", axis.velocity);
        axis.predict(1.0, 0.1);
        assert!((axis.position - 0.35).abs() < 0.01, "{}", axis.position);
    }
}
