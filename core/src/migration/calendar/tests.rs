use super::*;
use proptest::prelude::*;

/// A clock that shows this at the origin. 2026-11-21 is a Saturday.
fn clock(date: &str, hour: i64, minute: i64, utc_offset_min: i16) -> WallClock {
    let local = date.parse::<Date>().unwrap().days() * DAY_MINUTES + hour * 60 + minute;
    WallClock {
        at: Instant::ZERO,
        unix_ms: (local - i64::from(utc_offset_min)) * MINUTE_MS,
        utc_offset_min,
    }
}

fn calendar(json: &str) -> Calendar {
    serde_json::from_str(json).unwrap()
}

fn is_open(calendar: &Calendar, clock: &WallClock) -> bool {
    calendar.is_open(Some(clock), Instant::ZERO)
}

#[test]
fn hours_are_local_and_may_go_over_midnight() {
    let night = calendar(r#"{"hours":["22:00-06:00"]}"#);
    for (hour, minute, open) in [
        (21, 59, false),
        (22, 0, true),
        (0, 0, true),
        (5, 59, true),
        (6, 0, false),
    ] {
        for offset in [-720, -210, 0, 60, 840] {
            let clock = clock("2026-11-21", hour, minute, offset);
            assert_eq!(is_open(&night, &clock), open, "{hour}:{minute} {offset}");
        }
    }
    assert!(is_open(
        &calendar(r#"{"hours":["00:00-24:00"]}"#),
        &clock("2026-11-21", 23, 59, 0)
    ));
}

#[test]
fn days_and_dates_off_are_closed_all_day() {
    let quiet = calendar(r#"{"days_off":["sat","sun"],"dates_off":["2026-12-24"]}"#);
    for (date, open) in [
        ("2026-11-20", true),
        ("2026-11-21", false),
        ("2026-11-22", false),
        ("2026-11-23", true),
        ("2026-12-24", false),
        ("2024-02-29", true),
    ] {
        for hour in [0, 23] {
            assert_eq!(is_open(&quiet, &clock(date, hour, 0, 60)), open, "{date}");
        }
    }
}

#[test]
fn a_new_offset_moves_the_hours() {
    let night = calendar(r#"{"hours":["02:00-06:00"]}"#);
    // 2026-03-29 01:30 UTC: half past three in Berlin's new summer, half past two in its winter.
    let mut berlin = clock("2026-03-29", 1, 30, 0);
    assert!(!is_open(&night, &berlin));
    berlin.utc_offset_min = 60;
    assert!(is_open(&night, &berlin));
    let five = Instant::from_millis(4 * 3_600_000 - 1);
    assert!(!night.is_open(Some(&berlin), Instant::from_millis(4 * 3_600_000)));
    berlin.utc_offset_min = 120;
    assert!(!night.is_open(Some(&berlin), five));
}

#[test]
fn it_says_when_it_opens() {
    let night = calendar(r#"{"hours":["02:00-06:00"],"days_off":["sun"]}"#);
    let opens = |clock: &WallClock| night.opens_in_ms(Some(clock), Instant::ZERO);
    assert_eq!(opens(&clock("2026-11-21", 3, 0, 60)), Some(0));
    // Saturday noon: Sunday is off, so it is Monday at two.
    assert_eq!(opens(&clock("2026-11-21", 12, 0, 60)), Some(38 * 3_600_000));
    let never = calendar(r#"{"days_off":["mon","tue","wed","thu","fri","sat","sun"]}"#);
    assert_eq!(
        never.opens_in_ms(Some(&clock("2026-11-21", 3, 0, 0)), Instant::ZERO),
        None
    );
}

#[test]
fn without_a_clock_named_hours_are_closed_and_the_peak_holds() {
    let now = Instant::ZERO;
    assert!(Calendar::default().is_open(None, now));
    let night = calendar(
        r#"{"hours":["02:00-06:00"],"peak":["08:00-18:00"],"peak_rows_per_s_max":100,
            "off_peak_rows_per_s_max":9000}"#,
    );
    assert!(!night.is_open(None, now));
    assert_eq!(night.rows_per_s_max(None, now), Some(100));
    let (noon, evening) = (clock("2026-11-21", 12, 0, 0), clock("2026-11-21", 18, 0, 0));
    assert_eq!(night.rows_per_s_max(Some(&noon), now), Some(100));
    assert_eq!(night.rows_per_s_max(Some(&evening), now), Some(9_000));
    assert_eq!(Calendar::default().rows_per_s_max(None, now), None);
}

#[test]
fn text_that_is_no_time_is_refused() {
    for text in [
        "2:00-06:00",
        "02:00",
        "02:60-03:00",
        "24:01-03:00",
        "+2:00-03:00",
        "",
    ] {
        assert!(text.parse::<Hours>().is_err(), "{text}");
    }
    for text in [
        "2026-02-29",
        "2026-13-01",
        "2026-00-01",
        "26-01-01",
        "2026-1-1",
        "",
    ] {
        assert!(text.parse::<Date>().is_err(), "{text}");
    }
    let all = r#"{"hours":["02:00-06:00"],"dates_off":["2028-02-29"]}"#;
    let text = serde_json::to_string(&calendar(all)).unwrap();
    assert_eq!(calendar(&text), calendar(all));
    let bytes = postcard::to_allocvec(&calendar(all)).unwrap();
    assert_eq!(
        postcard::from_bytes::<Calendar>(&bytes).unwrap(),
        calendar(all)
    );
}

proptest! {
    #[test]
    fn dates_come_back_from_their_numbers(days in -100_000..2_000_000_i64) {
        let date = Date::from_days(days);
        if date.year > 0 && days > -700_000 {
            prop_assert_eq!(date.days(), days);
            prop_assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day));
            let next = Date::from_days(days + 1);
            prop_assert!(date < next);
        }
    }

    /// Through weeks and changes of the offset: what `opens_in_ms` names is the first open minute.
    #[test]
    fn the_next_open_minute_is_the_first(
        start in 0..(14 * DAY_MINUTES), offset in -720..=840_i16,
        (from, to) in (0..1_440_u16, 0..=1_440_u16), off in 0..128_u8,
    ) {
        let days = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];
        let calendar = Calendar {
            hours: alloc::vec![Hours { start: from, end: to }],
            days_off: days.iter().enumerate().filter(|(i, _)| off >> i & 1 == 1).map(|(_, &d)| d).collect(),
            ..Calendar::default()
        };
        let clock = WallClock { at: Instant::ZERO, unix_ms: 1_790_000_000_000 / MINUTE_MS * MINUTE_MS + start * MINUTE_MS, utc_offset_min: offset };
        let at = |ms: u64| calendar.is_open(Some(&clock), Instant::from_millis(ms));
        let opens = calendar.opens_in_ms(Some(&clock), Instant::ZERO);
        prop_assert_eq!(opens.is_none(), off == 127);
        if let Some(ms) = opens {
            prop_assert!(at(ms));
            let minutes = ms / 60_000;
            prop_assert!((0..minutes).all(|minute| !at(minute * 60_000)));
        }
    }
}
