//! The current time, and times and ages as text.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use fernseal_core::fernet::MAX_CLOCK_SKEW;

/// Returns the current time in Unix seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Formats a Unix time as a UTC date: `2026-11-24 04:09:29`.
pub(crate) fn date(seconds: u64) -> String {
    let (year, month, day, hour, minute, second) = civil(seconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Formats a Unix time for a backup's name, in UTC: `20261124_040929`.
pub(crate) fn stamp(seconds: u64) -> String {
    let (year, month, day, hour, minute, second) = civil(seconds);
    format!("{year:04}{month:02}{day:02}_{hour:02}{minute:02}{second:02}")
}

/// Converts a Unix time to a civil date, with Howard Hinnant's `civil_from_days`: eras of 400 years that begin on 1
/// March.
fn civil(seconds: u64) -> (u64, u64, u64, u64, u64, u64) {
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60)
}

/// The age that tokens may have. A rotation gives each token the present time, so this is the age of the key as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaxAge {
    number: u64,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Hour,
    Day,
    Week,
}

impl MaxAge {
    /// Reports whether a token that was sealed at `sealed` is older.
    pub(crate) fn is_exceeded(self, sealed: u64, now: u64) -> bool {
        let unit = match self.unit {
            Unit::Hour => 3_600,
            Unit::Day => 86_400,
            Unit::Week => 7 * 86_400,
        };
        now.saturating_sub(sealed) > self.number.saturating_mul(unit)
    }
}

impl FromStr for MaxAge {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let flaw = "an age is a whole number with h, d or w, as in 365d";
        let number = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
        let unit = match &text[number.len()..] {
            "h" => Unit::Hour,
            "d" => Unit::Day,
            "w" => Unit::Week,
            _ => return Err(flaw),
        };
        Ok(Self { number: number.parse().map_err(|_| flaw)?, unit })
    }
}

impl fmt::Display for MaxAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Hour => "hour",
            Unit::Day => "day",
            Unit::Week => "week",
        };
        write!(f, "{} {unit}{}", self.number, if self.number == 1 { "" } else { "s" })
    }
}

/// Describes how long ago `then` was. Clocks differ a little, so a time that is at most [`MAX_CLOCK_SKEW`] ahead is now.
pub(crate) fn age(then: u64, now: u64) -> String {
    if then > now.saturating_add(MAX_CLOCK_SKEW) {
        return "in the future".to_owned();
    }
    let seconds = now.saturating_sub(then);
    let (count, unit) = match seconds {
        0..120 => return "just now".to_owned(),
        120..7_200 => (seconds / 60, "minutes"),
        7_200..172_800 => (seconds / 3_600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_exceeded_after_it_and_not_at_it() {
        for (text, seconds, words) in
            [("365d", 365 * 86_400, "365 days"), ("1h", 3_600, "1 hour"), ("2w", 14 * 86_400, "2 weeks")]
        {
            let max_age: MaxAge = text.parse().unwrap();
            let now = 2_000_000_000;
            assert!(!max_age.is_exceeded(now - seconds, now) && max_age.is_exceeded(now - seconds - 1, now));
            assert!(!max_age.is_exceeded(now + 100, now), "a time in the future is not old");
            assert_eq!(max_age.to_string(), words);
        }
        for text in ["", "d", "365", "1.5d", "-1d", "1y", "99999999999999999999d"] {
            assert!(text.parse::<MaxAge>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_clock_that_is_a_little_ahead_is_not_in_the_future() {
        let now = 2_000_000_000;
        assert_eq!([age(now, now), age(now + 1, now), age(now + 60, now)], ["just now"; 3]);
        assert_eq!(age(now + 61, now), "in the future");
        assert_eq!(age(now - 120, now), "2 minutes ago");
    }

    #[test]
    fn unix_times_become_the_dates_that_gnu_date_prints() {
        assert_eq!(date(0), "1970-01-01 00:00:00");
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(date(1_764_000_000), "2025-11-24 16:00:00");
        assert_eq!(date(4_107_542_399), "2100-02-28 23:59:59");
        assert_eq!(stamp(4_107_542_400), "21000301_000000");
    }
}
