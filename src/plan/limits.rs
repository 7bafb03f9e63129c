//! The `[limits]` section.

use std::fmt::Display;
use std::ops::RangeInclusive;

use toml::Spanned;

use crate::case::throttle::Limits;
use crate::config::ConfigFile;
use crate::error::Result;

/// A minute to a week, in seconds.
const TIMES_S: RangeInclusive<f64> = 60.0..=7.0 * 86_400.0;

/// Checks the `[limits]` section.
pub(super) fn plan(file: &ConfigFile) -> Result<Limits> {
    let given = &file.config.limits;
    let default = Limits::default();
    let cases = 1..=1000;
    let limits = Limits {
        update_s: within(file, "update_s", &given.update_s, default.update_s, &TIMES_S)?,
        cases_per_hour: within(
            file,
            "cases_per_hour",
            &given.cases_per_hour,
            default.cases_per_hour,
            &cases,
        )?,
        camera_cases_per_hour: within(
            file,
            "camera_cases_per_hour",
            &given.camera_cases_per_hour,
            default.camera_cases_per_hour,
            &cases,
        )?,
        quiet_s: within(file, "quiet_s", &given.quiet_s, default.quiet_s, &TIMES_S)?,
        longest_quiet_s: within(
            file,
            "longest_quiet_s",
            &given.longest_quiet_s,
            default.longest_quiet_s,
            &TIMES_S,
        )?,
        same_violation_m: within(
            file,
            "same_violation_m",
            &given.same_violation_m,
            default.same_violation_m,
            &(0.0..=50.0),
        )?,
        precision: within(file, "precision", &given.precision, default.precision, &(0.0..=0.99))?,
        recall: within(file, "recall", &given.recall, default.recall, &(0.5..=1.0))?,
    };
    if limits.quiet_s > limits.longest_quiet_s {
        let span = given.quiet_s.as_ref().or(given.longest_quiet_s.as_ref()).map_or(0..0, Spanned::span);
        let what = format!(
            "a first quiet time of {} s: expected at most limits.longest_quiet_s, {} s",
            limits.quiet_s, limits.longest_quiet_s
        );
        return Err(file.fault("limits.quiet_s", span, what));
    }
    Ok(limits)
}

/// The value of `limits.{name}`, which must lie in `range`.
fn within<T: Copy + PartialOrd + Display>(
    file: &ConfigFile,
    name: &str,
    given: &Option<Spanned<T>>,
    default: T,
    range: &RangeInclusive<T>,
) -> Result<T> {
    match given {
        None => Ok(default),
        Some(value) if range.contains(value.get_ref()) => Ok(*value.get_ref()),
        Some(value) => {
            let what = format!("{}: expected {} to {}", value.get_ref(), range.start(), range.end());
            Err(file.fault(&format!("limits.{name}"), value.span(), what))
        }
    }
}
