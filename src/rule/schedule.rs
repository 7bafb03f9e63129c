//! When a rule is in force: days and times of day on the street's own clock.
//!
//! A window is written as `[days] [HH:MM-HH:MM]`, such as `mon-fri 07:00-09:00`, `workdays 17:00-19:00`,
//! `holidays`, or `22:00-06:00`. A window that ends before it begins runs over midnight and belongs to the day
//! on which it begins. Without days it holds on all days, without times all day.
//!
//! # Invariants
//! - A schedule is a function of time and its own text; it keeps nothing.
//! - Windows that touch are one period: a rule in force on Monday and on Tuesday does not start anew at midnight.

use std::fmt;

use jiff::ToSpan as _;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use crate::clock::CaptureTime;

/// Most windows of one schedule.
const MOST_WINDOWS: usize = 32;
/// How far back the beginning of an unbroken period is looked for, in seconds (40 days). A rule that has been in force for
/// longer than this may be taken for one that always was: no dwell but that of an abandoned vehicle is longer.
const LOOK_BACK_S: f64 = 40.0 * 86_400.0;

/// Days that a calendar moves: public holidays, and days of a weekend on which people work for them (调休).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Days off that the week does not show.
    pub holidays: Vec<Date>,
    /// Saturdays and Sundays on which people work.
    pub workdays: Vec<Date>,
}

impl Calendar {
    fn is_workday(&self, day: Date) -> bool {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        !self.holidays.contains(&day) && (!weekend || self.workdays.contains(&day))
    }
}

/// On which days a window begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Days {
    /// Days of the week; bit 0 is Monday.
    Week(u8),
    /// Working days by the calendar.
    Workdays,
    /// Weekends and holidays by the calendar.
    Holidays,
}

/// One window: from `from` on each of `days` for `minutes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    days: Days,
    from: Time,
    minutes: i64,
}

/// The windows in which a rule is in force, on the clock of a time zone.
#[derive(Clone, PartialEq)]
pub struct Schedule {
    windows: Vec<Window>,
    calendar: Calendar,
    zone: TimeZone,
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule").field("windows", &self.windows).finish_non_exhaustive()
    }
}

impl Schedule {
    /// Reads `windows`, each as the module says, for the clock of `zone`.
    ///
    /// # Errors
    /// The window at fault and what was expected.
    pub fn parse(windows: &[String], calendar: &Calendar, zone: &TimeZone) -> Result<Self, String> {
        if windows.is_empty() {
            return Err("no window: expected at least one such as \"mon-fri 07:00-19:00\"".to_owned());
        }
        if windows.len() > MOST_WINDOWS {
            return Err(format!("{} windows: expected at most {MOST_WINDOWS}", windows.len()));
        }
        let windows = windows.iter().map(|text| window(text)).collect::<Result<_, _>>()?;
        Ok(Self { windows, calendar: calendar.clone(), zone: zone.clone() })
    }

    /// Since when the rule has been in force without a break, or `None` if it is not in force at `at`. The
    /// beginning of a window is in it, its end is not.
    pub fn in_force_since(&self, at: CaptureTime) -> Option<CaptureTime> {
        let mut since: Option<CaptureTime> = None;
        let mut probe = at;
        // Each turn takes in every window that holds `probe`; then the instant before the earliest is tried.
        while let Some(earliest) = self.earliest(probe) {
            since = Some(earliest);
            if at.seconds_since(earliest) >= LOOK_BACK_S {
                break;
            }
            probe = CaptureTime::from_nanos(earliest.nanos().saturating_sub(1));
        }
        since
    }

    /// The earliest beginning among the windows that hold `at`.
    fn earliest(&self, at: CaptureTime) -> Option<CaptureTime> {
        let today = at.timestamp().to_zoned_datetime(self.zone.clone()).date();
        let mut earliest = None;
        // No window is longer than a day.
        for day in [Some(today), today.yesterday().ok()].into_iter().flatten() {
            for window in &self.windows {
                if !self.begins_on(window, day) {
                    continue;
                }
                let Some((from, to)) = self.span(window, day) else { continue };
                if from <= at && at < to && earliest.is_none_or(|known| from < known) {
                    earliest = Some(from);
                }
            }
        }
        earliest
    }

    fn begins_on(&self, window: &Window, day: Date) -> bool {
        match window.days {
            Days::Week(bits) => bits & (1 << day.weekday().to_monday_zero_offset()) != 0,
            Days::Workdays => self.calendar.is_workday(day),
            Days::Holidays => !self.calendar.is_workday(day),
        }
    }

    /// First instant of `window` on `day` and the first after it. The end is taken on the wall clock, so a day
    /// on which the clock changes is as long as it is.
    fn span(&self, window: &Window, day: Date) -> Option<(CaptureTime, CaptureTime)> {
        let from = day.to_datetime(window.from);
        let to = from.checked_add(window.minutes.minutes()).ok()?;
        let instant = |at: jiff::civil::DateTime| {
            at.to_zoned_datetime(self.zone.clone()).ok().map(|z| CaptureTime::from_timestamp(z.timestamp()))
        };
        Some((instant(from)?, instant(to)?))
    }
}

fn window(text: &str) -> Result<Window, String> {
    let wrong = || {
        format!(
            "`{text}`: expected days, times or both, such as \"mon-fri 07:00-09:00\", \"sat,sun\", \
             \"workdays 08:00-18:00\", \"holidays\" or \"22:00-06:00\""
        )
    };
    let mut days = Days::Week(0b111_1111);
    let (mut from, mut minutes) = (Time::midnight(), 24 * 60);
    let words: Vec<&str> = text.split_whitespace().collect();
    let (named, times) = match words[..] {
        [one] if one.contains(':') => (None, Some(one)),
        [one] => (Some(one), None),
        [named, times] => (Some(named), Some(times)),
        _ => return Err(wrong()),
    };
    if let Some(named) = named {
        days = match named {
            "daily" => days,
            "workdays" => Days::Workdays,
            "holidays" => Days::Holidays,
            list => Days::Week(week(list).ok_or_else(wrong)?),
        };
    }
    if let Some(times) = times {
        let (begin, end) = times.split_once('-').ok_or_else(wrong)?;
        let (begin, end) = (minute(begin).ok_or_else(wrong)?, minute(end).ok_or_else(wrong)?);
        if begin == 24 * 60 || begin == end {
            return Err(format!(
                "`{text}`: a window that begins at its end; leave the times out for all day"
            ));
        }
        from = Time::new((begin / 60) as i8, (begin % 60) as i8, 0, 0).map_err(|_| wrong())?;
        minutes = if end > begin { end - begin } else { end + 24 * 60 - begin };
    }
    Ok(Window { days, from, minutes })
}

/// The days of `mon-fri,sun` as bits, Monday first.
fn week(list: &str) -> Option<u8> {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let number = |name: &str| NAMES.iter().position(|known| *known == name);
    let mut bits = 0;
    for part in list.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        let mut day = first;
        loop {
            bits |= 1 << day;
            if day == last {
                break;
            }
            day = (day + 1) % 7;
        }
    }
    Some(bits)
}

/// Minutes from midnight of `HH:MM`; `24:00` is the end of the day.
fn minute(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let two = |digits: &str| {
        let sound = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| digits.parse::<i64>().ok()).flatten()
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    let whole = hour * 60 + minute;
    (minute < 60 && whole <= 24 * 60).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shanghai() -> TimeZone {
        TimeZone::get("Asia/Shanghai").unwrap()
    }

    fn schedule(windows: &[&str]) -> Schedule {
        let windows: Vec<String> = windows.iter().map(|w| (*w).to_owned()).collect();
        let calendar = Calendar {
            holidays: vec!["2026-10-01".parse().unwrap(), "2026-10-02".parse().unwrap()],
            workdays: vec!["2026-10-10".parse().unwrap()],
        };
        Schedule::parse(&windows, &calendar, &shanghai()).unwrap()
    }

    fn time(text: &str) -> CaptureTime {
        let at: jiff::civil::DateTime = text.parse().unwrap();
        CaptureTime::from_timestamp(at.to_zoned_datetime(shanghai()).unwrap().timestamp())
    }

    #[track_caller]
    fn since(windows: &[&str], at: &str, wanted: Option<&str>) {
        assert_eq!(schedule(windows).in_force_since(time(at)), wanted.map(time), "{windows:?} at {at}");
    }

    // 2026-11-23 is a Monday.
    #[test]
    fn a_window_holds_from_its_beginning_to_before_its_end_on_its_days() {
        let rush = ["mon-fri 07:00-09:00"];
        since(&rush, "2026-11-23T06:59:59", None);
        since(&rush, "2026-11-23T07:00:00", Some("2026-11-23T07:00:00"));
        since(&rush, "2026-11-23T08:59:59", Some("2026-11-23T07:00:00"));
        since(&rush, "2026-11-23T09:00:00", None);
        since(&rush, "2026-11-22T08:00:00", None);
        since(&["sat,sun"], "2026-11-22T23:59:59", Some("2026-11-21T00:00:00"));
        since(&["fri-mon 10:00-11:00"], "2026-11-24T10:30:00", None);
        since(&["fri-mon 10:00-11:00"], "2026-11-23T10:30:00", Some("2026-11-23T10:00:00"));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        since(&["fri 22:00-06:00"], "2026-11-28T05:00:00", Some("2026-11-27T22:00:00"));
        since(&["fri 22:00-06:00"], "2026-11-27T05:00:00", None);
    }

    #[test]
    fn windows_that_touch_are_one_period() {
        since(&["mon-fri"], "2026-11-25T12:00:00", Some("2026-11-23T00:00:00"));
        since(&["07:00-12:00", "12:00-19:00"], "2026-11-25T12:30:00", Some("2026-11-25T07:00:00"));
        since(&["07:00-13:00", "12:00-19:00"], "2026-11-25T18:00:00", Some("2026-11-25T07:00:00"));
        since(&["07:00-11:59", "12:00-19:00"], "2026-11-25T12:30:00", Some("2026-11-25T12:00:00"));
    }

    #[test]
    fn a_rule_in_force_day_and_night_has_been_so_for_over_a_month() {
        let since = schedule(&["daily"]).in_force_since(time("2026-11-25T12:00:00")).unwrap();
        assert!(time("2026-11-25T12:00:00").seconds_since(since) > 35.0 * 86_400.0);
    }

    #[test]
    fn holidays_and_made_up_workdays_follow_the_calendar_and_not_the_week() {
        // 1 October is a Thursday and off, 10 October a Saturday that makes up for it.
        since(&["workdays 08:00-18:00"], "2026-10-01T09:00:00", None);
        since(&["workdays 08:00-18:00"], "2026-10-10T09:00:00", Some("2026-10-10T08:00:00"));
        since(&["holidays 08:00-18:00"], "2026-10-01T09:00:00", Some("2026-10-01T08:00:00"));
        since(&["holidays 08:00-18:00"], "2026-10-10T09:00:00", None);
        since(&["holidays 08:00-18:00"], "2026-10-11T09:00:00", Some("2026-10-11T08:00:00"));
    }

    #[test]
    fn what_is_not_a_window_is_refused_with_the_window_in_the_message() {
        for text in [
            "",
            "monday",
            "mon-",
            "7:00-9:00",
            "07:00",
            "07:00-07:00",
            "25:00-26:00",
            "mon 07:00-09:60",
            "mon tue 07:00-09:00",
            "24:00-02:00",
        ] {
            let error = Schedule::parse(&[text.to_owned()], &Calendar::default(), &shanghai()).unwrap_err();
            assert!(error.contains(&format!("`{text}`")), "{text}: {error}");
        }
        assert!(Schedule::parse(&[], &Calendar::default(), &shanghai()).is_err());
    }
}
