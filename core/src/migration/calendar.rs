//! When a migration may work: hours of the day, days of the week, dates. The clock is handed in.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: i64 = 24 * 60;

/// When a migration may work, and how fast when people are about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calendar {
    /// The hours allowed, `"02:00-06:00"` say, in local time; none named: all. Hours over midnight
    /// belong to the day that each of their minutes is in.
    pub hours: Vec<Hours>,
    /// Days of the week that aren't allowed.
    pub days_off: Vec<Day>,
    /// Dates that aren't allowed: `"2026-12-24"`.
    pub dates_off: Vec<Date>,
    /// The hours in which the rate is lowered.
    pub peak: Vec<Hours>,
    /// Rows a second in those hours, at most; 0 counts as 1.
    pub peak_rows_per_s_max: u32,
    /// Rows a second in all others, at most; `None`: as the throttle has it.
    pub off_peak_rows_per_s_max: Option<u32>,
}

/// A stretch of the day, from a minute up to, but without, another. From 22:00 to 06:00 goes over
/// midnight; from a minute to itself is all day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    start: u16,
    end: u16,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// A date of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// Text that names no hours and no date.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CalendarError {
    /// Not `HH:MM-HH:MM`, each from 00:00 to 24:00.
    Hours(String),
    /// Not `YYYY-MM-DD` of the Gregorian calendar.
    Date(String),
}

impl fmt::Display for CalendarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hours(text) => write!(f, "`{text}` names no hours; write `02:00-06:00`"),
            Self::Date(text) => write!(f, "`{text}` is no date; write `2026-12-24`"),
        }
    }
}

impl core::error::Error for CalendarError {}

impl Hours {
    fn contains(self, minute: u16) -> bool {
        match self.start.cmp(&self.end) {
            core::cmp::Ordering::Less => (self.start..self.end).contains(&minute),
            core::cmp::Ordering::Equal => true,
            core::cmp::Ordering::Greater => minute >= self.start || minute < self.end,
        }
    }
}

impl FromStr for Hours {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let minute = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let (hour, minute) = (number(hour, 2)?, number(minute, 2)?);
            let all = hour * 60 + minute;
            (minute < 60 && all <= 24 * 60).then_some(all)
        };
        let hours = text.split_once('-').and_then(|(start, end)| {
            Some(Self {
                start: minute(start)?,
                end: minute(end)?,
            })
        });
        hours.ok_or_else(|| CalendarError::Hours(text.to_string()))
    }
}

impl FromStr for Date {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let mut parts = text.splitn(3, '-');
        let date = (|| {
            let year = number(parts.next()?, 4)?;
            let month = u8::try_from(number(parts.next()?, 2)?).ok()?;
            let day = u8::try_from(number(parts.next()?, 2)?).ok()?;
            let date = Self { year, month, day };
            // A date that the calendar has comes back from its number.
            (date == Self::from_days(date.days())).then_some(date)
        })();
        date.ok_or_else(|| CalendarError::Date(text.to_string()))
    }
}

/// Exactly so many decimal digits.
fn number(text: &str, digits: usize) -> Option<u16> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

impl TryFrom<String> for Hours {
    type Error = CalendarError;

    fn try_from(text: String) -> Result<Self, CalendarError> {
        text.parse()
    }
}

impl TryFrom<String> for Date {
    type Error = CalendarError;

    fn try_from(text: String) -> Result<Self, CalendarError> {
        text.parse()
    }
}

impl From<Hours> for String {
    fn from(Hours { start, end }: Hours) -> Self {
        let [a, b, c, d] = [start / 60, start % 60, end / 60, end % 60];
        format!("{a:02}:{b:02}-{c:02}:{d:02}")
    }
}

impl From<Date> for String {
    fn from(Date { year, month, day }: Date) -> Self {
        format!("{year:04}-{month:02}-{day:02}")
    }
}

impl Date {
    /// Days since 1970-01-01. (Howard Hinnant's `days_from_civil`.)
    fn days(self) -> i64 {
        let (year, month, day) = (
            i64::from(self.year),
            i64::from(self.month),
            i64::from(self.day),
        );
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let month = (month + 9).rem_euclid(12);
        let of_year = (153 * month + 2) / 5 + day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// The date of a number of days since 1970-01-01. (The same author's `civil_from_days`.)
    fn from_days(days: i64) -> Self {
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        let year = year + era * 400 + i64::from(month <= 2);
        Self {
            year: u16::try_from(year).unwrap_or(u16::MAX),
            month: u8::try_from(month).unwrap_or(u8::MAX),
            day: u8::try_from(day).unwrap_or(u8::MAX),
        }
    }
}

/// What the clock on the wall showed at a moment. Hand a new one in when the offset changes, and
/// once in a while: clocks are corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WallClock {
    /// The moment.
    pub at: Instant,
    /// Milliseconds since 1970-01-01 00:00 UTC.
    pub unix_ms: i64,
    /// How far local time is ahead of UTC, in minutes: 60 in Berlin's winter, 120 in its summer.
    pub utc_offset_min: i16,
}

impl WallClock {
    /// Local minutes since 1970-01-01 00:00, at `now`.
    fn local_minutes(&self, now: Instant) -> i64 {
        let passed = i64::try_from(now.since(self.at)).unwrap_or(i64::MAX);
        let unix_ms = self.unix_ms.saturating_add(passed);
        unix_ms.div_euclid(MINUTE_MS) + i64::from(self.utc_offset_min)
    }
}

impl Calendar {
    /// Whether a migration may work at `now`. Without a clock it may, unless hours or days are
    /// named: what can't be told isn't allowed.
    pub fn is_open(&self, clock: Option<&WallClock>, now: Instant) -> bool {
        if self.hours.is_empty() && self.days_off.is_empty() && self.dates_off.is_empty() {
            return true;
        }
        clock.is_some_and(|clock| self.is_open_at(clock.local_minutes(now)))
    }

    /// Milliseconds until it is open, from `now`: 0 when it is; `None` when it isn't for the next
    /// 400 days, or without a clock.
    pub fn opens_in_ms(&self, clock: Option<&WallClock>, now: Instant) -> Option<u64> {
        if self.is_open(clock, now) {
            return Some(0);
        }
        let start = clock?.local_minutes(now);
        let today = start.div_euclid(DAY_MINUTES);
        // It opens where a stretch begins, or with a day in the middle of one.
        let first_of = |day: i64| {
            let midnight = day * DAY_MINUTES;
            let begins = self
                .hours
                .iter()
                .map(|hours| midnight + i64::from(hours.start));
            begins
                .chain([midnight])
                .filter(|&minute| minute > start && self.is_open_at(minute))
                .min()
        };
        let minute = (today..today + 400).find_map(first_of)?;
        u64::try_from((minute - start) * MINUTE_MS).ok()
    }

    /// Rows a second that the hour allows; `None`: as many as the throttle. Without a clock, the
    /// hour may be one of the peak.
    pub fn rows_per_s_max(&self, clock: Option<&WallClock>, now: Instant) -> Option<u32> {
        let minute = clock.map(|clock| minute_of_day(clock.local_minutes(now)));
        let is_peak = |hours: &Hours| minute.is_none_or(|minute| hours.contains(minute));
        if self.peak.iter().any(is_peak) {
            Some(self.peak_rows_per_s_max)
        } else {
            self.off_peak_rows_per_s_max
        }
    }

    fn is_day_off(&self, local_minutes: i64) -> bool {
        let days = local_minutes.div_euclid(DAY_MINUTES);
        self.days_off.contains(&day_of(days)) || self.dates_off.contains(&Date::from_days(days))
    }

    fn is_open_at(&self, local_minutes: i64) -> bool {
        let minute = minute_of_day(local_minutes);
        let in_hours = self.hours.is_empty() || self.hours.iter().any(|h| h.contains(minute));
        in_hours && !self.is_day_off(local_minutes)
    }
}

fn minute_of_day(local_minutes: i64) -> u16 {
    u16::try_from(local_minutes.rem_euclid(DAY_MINUTES)).unwrap_or(0)
}

fn day_of(days: i64) -> Day {
    // 1970-01-01 was a Thursday.
    match (days + 3).rem_euclid(7) {
        0 => Day::Mon,
        1 => Day::Tue,
        2 => Day::Wed,
        3 => Day::Thu,
        4 => Day::Fri,
        5 => Day::Sat,
        _ => Day::Sun,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests;
