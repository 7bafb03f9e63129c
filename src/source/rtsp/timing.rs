//! When a picture of a live camera was captured.
//!
//! RTP gives each picture a time of the camera's own clock, which starts anywhere. It is brought to wall-clock time
//! by the camera's RTCP sender reports (RFC 3550, section 6.4.1) where they agree with the arrival of its pictures to
//! within seconds, else by the earliest arrivals: a picture cannot arrive before it was captured, and the one that
//! waited least on its way tells most.
//!
//! # Invariants
//! - Capture time never goes back, and pictures of one stream are as far apart as the camera says, to within 5 %.
//! - A camera whose clock is wrong or steps costs no more than its accuracy: arrival counts then.

use crate::clock::CaptureTime;

/// How far sender reports may be from arrival to be believed, in nanoseconds. What is further off is a wrong clock,
/// not a slow network.
const PLAUSIBLE: i64 = 5_000_000_000;
/// A picture this much off the time expected of it is a step of one of the clocks.
const STEP: i64 = 5_000_000_000;
/// No picture is captured after it has arrived; by so much the two clocks may differ, and a step not be noticed.
const AHEAD: i64 = PLAUSIBLE + STEP;
/// The earliest arrival fades by this share of time, so that a drifting camera clock is followed: 1 ms a second, ten
/// times the worst of quartz.
const FADE: i64 = 1000;
/// A better idea of the time is approached by this share of the time that goes by: no dwell is off by more than 5 %.
const SLEW: i64 = 20;
/// A picture of an earlier time than the one before is out of order if it is less than this earlier, else a step.
const REORDER: i64 = 1_000_000_000;

/// What a picture's time came out as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stamp {
    /// Capture time; `None` when a later picture was stamped before, so that this one is of no use.
    pub(super) at: Option<CaptureTime>,
    /// How much later than the earliest ones it arrived, in seconds.
    pub(super) late_s: f64,
    /// Seconds by which the stream's time stepped here.
    pub(super) step_s: Option<f64>,
}

/// The time of one stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Timing {
    /// Last capture time that was given, over all connections.
    last: Option<i64>,
    stream: Option<Stream>,
    /// Wall clock less stream time by the last sender report.
    reported: Option<i64>,
}

/// All in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Stream {
    /// Stream time of the last picture.
    media: i64,
    /// Arrival less stream time of the earliest arrivals.
    earliest: i64,
    /// Capture time less stream time, as used.
    offset: i64,
}

impl Timing {
    /// A new stream begins, whose times have nothing to do with those before. Capture time goes on.
    pub(super) fn begin(&mut self) {
        self.stream = None;
        self.reported = None;
    }

    /// Takes in a sender report: stream time `media` was `wall`, by the camera's clock.
    pub(super) fn report(&mut self, media: i64, wall: CaptureTime) {
        self.reported = Some(wall.nanos().saturating_sub(media));
    }

    /// Seconds by which the camera's clock is ahead of the box's, if it says, and whether it is believed.
    pub(super) fn camera_clock(&self) -> Option<(f64, bool)> {
        let (stream, reported) = (self.stream?, self.reported?);
        let ahead = reported.saturating_sub(stream.earliest);
        Some((ahead as f64 / 1e9, ahead.saturating_abs() <= PLAUSIBLE))
    }

    /// Forgets how early pictures arrived before: from here on, they arrive as late as the last one did, at `arrival`.
    pub(super) fn accept_delay(&mut self, arrival: CaptureTime) {
        if let Some(stream) = &mut self.stream {
            stream.earliest = arrival.nanos().saturating_sub(stream.media);
        }
    }

    /// Stamps a picture of stream time `media` that arrived at `arrival`.
    pub(super) fn stamp(&mut self, media: i64, arrival: CaptureTime) -> Stamp {
        let raw = arrival.nanos().saturating_sub(media);
        let mut step_s = None;
        let mut stream = match self.stream {
            None => Stream { media, earliest: raw, offset: self.believed(raw) },
            Some(before) => {
                let passed = media.saturating_sub(before.media);
                if (-REORDER..0).contains(&passed) {
                    let late_s = raw.saturating_sub(before.earliest) as f64 / 1e9;
                    return Stamp { at: None, late_s, step_s };
                }
                let off = raw.saturating_sub(before.earliest);
                // The earliest arrivals follow a clock that runs too fast, so it is told by where it leads to.
                let ahead = media.saturating_add(before.offset).saturating_sub(arrival.nanos());
                if off.saturating_abs() > STEP || ahead > AHEAD {
                    step_s = Some(-(off as f64) / 1e9);
                    self.reported = None;
                    Stream { media, earliest: raw, offset: raw }
                } else {
                    let passed = passed.max(0);
                    let earliest = raw.min(before.earliest.saturating_add(passed / FADE));
                    let wanted = self.believed(earliest).saturating_sub(before.offset);
                    let most = passed / SLEW;
                    Stream {
                        media,
                        earliest,
                        offset: before.offset.saturating_add(wanted.clamp(-most, most)),
                    }
                }
            }
        };
        let mut at = media.saturating_add(stream.offset);
        if let Some(last) = self.last
            && at <= last
        {
            // Time stands still, nearly, until the stream has caught up; it never goes back.
            at = last.saturating_add(1_000_000);
            if step_s.is_some() {
                stream.offset = at.saturating_sub(media);
            }
        }
        self.last = Some(at);
        let late_s = raw.saturating_sub(stream.earliest) as f64 / 1e9;
        self.stream = Some(stream);
        Stamp { at: Some(CaptureTime::from_nanos(at)), late_s, step_s }
    }

    /// The camera's word if it can be true, else that of the arrivals.
    fn believed(&self, earliest: i64) -> i64 {
        self.reported.filter(|reported| reported.abs_diff(earliest) <= PLAUSIBLE as u64).unwrap_or(earliest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const NOON: i64 = 1_795_420_038 * SECOND;

    fn at(seconds: f64) -> CaptureTime {
        CaptureTime::from_nanos(NOON).plus_seconds(seconds)
    }

    /// Stamps pictures at 25 a second from `from_s`, each delayed by `delay_s`; stream time starts at 7 s.
    fn play(timing: &mut Timing, from_s: f64, seconds: f64, delay_s: impl Fn(u32) -> f64) -> Vec<f64> {
        let pictures = 0..(seconds * 25.0) as u32;
        let stamp = |n: u32| {
            let true_s = from_s + f64::from(n) / 25.0;
            let media = ((true_s + 7.0) * 1e9).round() as i64;
            let stamp = timing.stamp(media, at(true_s + delay_s(n)));
            stamp.at.map_or(f64::NAN, |stamped| stamped.seconds_since(at(true_s)))
        };
        pictures.map(stamp).collect()
    }

    #[test]
    fn pictures_that_waited_on_their_way_are_stamped_as_evenly_as_they_were_taken() {
        let mut timing = Timing::default();
        let errors = play(&mut timing, 0.0, 60.0, |n| 0.05 + f64::from(n * 37 % 50) / 100.0);
        let settled = &errors[500..];
        assert!(settled.iter().all(|error| (0.0..0.12).contains(error)), "{:?}", &settled[..9]);
    }

    #[test]
    fn the_cameras_own_clock_is_used_when_it_can_be_right() {
        let mut timing = Timing::default();
        timing.report(7 * SECOND, at(0.0));
        let errors = play(&mut timing, 0.0, 10.0, |_| 0.4);
        assert!(errors.iter().all(|error| error.abs() < 0.001), "{errors:?}");
        assert_eq!(timing.camera_clock().map(|clock| clock.1), Some(true));
    }

    #[test]
    fn a_camera_with_a_wrong_clock_is_stamped_by_arrival() {
        for wrong_s in [8.0 * 3600.0, -1.7e9, 30.0] {
            let mut timing = Timing::default();
            timing.report(7 * SECOND, at(wrong_s));
            let errors = play(&mut timing, 0.0, 10.0, |_| 0.1);
            assert!(errors.iter().all(|error| (error - 0.1).abs() < 0.001), "{wrong_s}: {errors:?}");
            assert_eq!(timing.camera_clock().map(|clock| clock.1), Some(false));
        }
    }

    #[test]
    fn a_report_that_comes_late_changes_no_interval_by_more_than_a_twentieth() {
        let mut timing = Timing::default();
        play(&mut timing, 0.0, 10.0, |_| 2.0);
        timing.report(17 * SECOND, at(10.0));
        let errors = play(&mut timing, 10.0, 60.0, |_| 2.0);
        let steps = errors.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        assert!(steps.clone().fold(0.0, f64::max) <= 0.04 * 0.051, "{:?}", &errors[..9]);
        assert!(errors.last().unwrap().abs() < 0.001, "it gets there");
    }

    #[test]
    fn a_camera_clock_that_runs_too_fast_never_leads_far_into_the_future() {
        for times in [1.01, 2.0, 90.0] {
            let mut timing = Timing::default();
            let mut worst = 0.0_f64;
            for n in 0..25 * 3600 {
                let true_s = f64::from(n) / 25.0;
                let stamp = timing.stamp((true_s * times * 1e9) as i64, at(true_s));
                worst = worst.max(stamp.at.unwrap().seconds_since(at(true_s)));
            }
            // Where time stands still for a while, each picture is a millisecond later than the one before.
            assert!(worst < 11.0, "{times} times as fast: {worst} s ahead");
        }
    }

    #[test]
    fn capture_time_never_goes_back_whatever_the_camera_says() {
        let mut timing = Timing::default();
        let mut last = None;
        let mut media = 0_i64;
        for n in 0..2000_i64 {
            media += match n % 400 {
                100 => -90 * SECOND,
                200 => 3600 * SECOND,
                300 => -500_000_000,
                _ => 40_000_000,
            };
            if n % 250 == 0 {
                timing.begin();
            }
            let stamp = timing.stamp(media, at(n as f64 / 25.0));
            if let Some(stamped) = stamp.at {
                assert!(last.is_none_or(|last| stamped > last), "picture {n}");
                last = Some(stamped);
            }
        }
    }

    #[test]
    fn a_step_of_the_stream_is_noticed_and_time_goes_on() {
        let mut timing = Timing::default();
        play(&mut timing, 0.0, 10.0, |_| 0.1);
        let stamp = timing.stamp(7_000 * SECOND, at(10.1));
        assert!(stamp.step_s.is_some_and(|s| (6_000.0..7_000.0).contains(&s)), "{stamp:?}");
        let stamped = stamp.at.unwrap().seconds_since(at(10.0));
        assert!(stamped.abs() < 0.5, "{stamped}");
    }

    #[test]
    fn a_camera_clock_that_drifts_is_followed() {
        let mut timing = Timing::default();
        // An hour at 100 ppm: the camera's clock gains 0.36 s.
        let mut error = 0.0;
        for n in 0..3600 * 5 {
            let true_s = f64::from(n) / 5.0;
            let stamp = timing.stamp((true_s * 1.0001 * 1e9) as i64, at(true_s + 0.1));
            error = stamp.at.unwrap().seconds_since(at(true_s));
        }
        assert!((0.0..0.2).contains(&error), "{error}");
        let mut timing = Timing::default();
        for n in 0..3600 * 5 {
            let true_s = f64::from(n) / 5.0;
            let stamp = timing.stamp((true_s * 0.9999 * 1e9) as i64, at(true_s + 0.1));
            error = stamp.at.unwrap().seconds_since(at(true_s));
        }
        assert!((0.0..0.2).contains(&error), "{error}");
    }
}
