use super::super::fingerprint::Labels;
use super::*;

const MINUTE_MS: u64 = 60_000;

fn at(text: &str) -> u64 {
    parse_rfc3339(text).unwrap()
}

fn recurring(cron: &str, zone: &str, minutes: u64) -> Schedule {
    Schedule::recurring(cron, zone, minutes * MINUTE_MS).unwrap()
}

#[test]
fn a_range_has_its_start_and_not_its_end() {
    let range = Schedule::Range { from_ms: 10, until_ms: 20 };
    let active = [9, 10, 19, 20].map(|now_ms| range.active_until_ms(now_ms));
    assert_eq!(active, [None, Some(20), Some(20), None]);
    assert_eq!((range.next_start_ms(9), range.next_start_ms(10)), (Some(10), None));
    assert_eq!([9, 19, 20].map(|now_ms| range.is_over(now_ms)), [false, false, true]);
}

#[test]
fn hours_are_those_of_the_zone_when_its_clock_changes_too() {
    let nights = recurring("0 3 * * *", "Europe/Berlin", 60);
    let rows = [
        // 3:00 is 2:00 UTC in winter and 1:00 UTC in summer.
        ("2026-01-10T01:59:59Z", None),
        ("2026-01-10T02:00:00Z", Some("2026-01-10T03:00:00Z")),
        ("2026-01-10T02:59:59Z", Some("2026-01-10T03:00:00Z")),
        ("2026-01-10T03:00:00Z", None),
        ("2026-07-10T01:30:00Z", Some("2026-07-10T02:00:00Z")),
        ("2026-07-10T02:30:00Z", None),
    ];
    for (now, until) in rows {
        assert_eq!(nights.active_until_ms(at(now)), until.map(at), "{now}");
    }
    assert_eq!(nights.next_start_ms(at("2026-07-10T01:30:00Z")), Some(at("2026-07-11T01:00:00Z")));
    assert!(!nights.is_over(at("2026-07-10T01:30:00Z")));
}

#[test]
fn a_window_over_midnight_and_windows_that_touch() {
    let weekend = recurring("0 22 * * FRI", "UTC", 48 * 60);
    // 2026-11-27 is a Friday.
    assert_eq!(weekend.active_until_ms(at("2026-11-28T10:00:00Z")), Some(at("2026-11-29T22:00:00Z")));
    assert_eq!(weekend.active_until_ms(at("2026-11-29T22:00:00Z")), None);
    let touching = recurring("0 8-11 * * *", "UTC", 60);
    assert_eq!(touching.active_until_ms(at("2026-11-28T08:30:00Z")), Some(at("2026-11-28T12:00:00Z")));
    let always = recurring("* * * * *", "UTC", 10);
    let now = at("2026-11-28T08:30:00Z");
    assert!(
        always.active_until_ms(now).is_some_and(|until_ms| until_ms > now),
        "bounded, and asked again then"
    );
}

fn definition(json: &str) -> WindowDefinition {
    serde_json::from_str(json).unwrap()
}

#[test]
fn every_bad_field_is_told() {
    let bad = definition(
        r#"{"metric_pattern":"(","service":"","matchers":["x"],"start":"today","end":"2026-11-21T01:15:22Z"}"#,
    );
    let told: Vec<_> = bad.check("w").unwrap_err().into_iter().map(|error| error.pointer).collect();
    assert_eq!(told, ["/metric_pattern", "/matchers/0", "/start"]);
    let rows = [
        (r#"{"service":"shop"}"#, "/start", "needs start and end, or cron"),
        (r#"{"start":"2026-11-21T01:15:22Z","end":"2026-11-21T01:15:23Z"}"#, "/matchers", "is needed"),
        (
            r#"{"service":"a","start":"2026-11-21T01:15:22Z","end":"2026-11-21T01:15:22Z"}"#,
            "/end",
            "after start",
        ),
        (r#"{"service":"a","cron":"0 3 * * *"}"#, "/duration_seconds", "is missing"),
        (r#"{"service":"a","cron":"0 3 * * *","duration_seconds":1}"#, "/cron", "must last 60 to 604800"),
        (r#"{"service":"a","cron":"0 3 * *","duration_seconds":60}"#, "/cron", "must have minute, hour"),
        (r#"{"service":"a","cron":"0 25 * * *","duration_seconds":60}"#, "/cron", ""),
        (
            r#"{"service":"a","cron":"0 3 * * *","time_zone":"Mars/Base","duration_seconds":60}"#,
            "/cron",
            "zone",
        ),
    ];
    for (json, pointer, message) in rows {
        let errors = definition(json).check("w").unwrap_err();
        assert_eq!(errors.len(), 1, "{json}: {errors:?}");
        assert_eq!(errors[0].pointer, pointer, "{json}");
        assert!(errors[0].message.contains(message), "{json}: {errors:?}");
        assert!(!errors[0].message.contains('\n'), "{json}: {errors:?}");
    }
    assert!(serde_json::from_str::<WindowDefinition>(r#"{"until":"x"}"#).is_err(), "unknown fields");
}

#[test]
fn of_the_windows_that_match_the_one_that_ends_last_counts() {
    let window = |id: &str, service: &str, until_ms| Window {
        id: id.into(),
        name: id.into(),
        schedule: Schedule::Range { from_ms: 0, until_ms },
        matchers: vec![Matcher::new(SERVICE, Operator::Is, service).unwrap()],
    };
    let windows =
        [window("a", "shop", 10), window("b", "shop", 30), window("c", "shop", 20), window("d", "x", 99)];
    let labels = Labels::new();
    let subject =
        Subject { fingerprint: "f", metric: None, service: Some("shop"), severity: "info", labels: &labels };
    let found = |now_ms| {
        suppressed_by(&windows, &subject, now_ms).map(|(window, until_ms)| (window.id.as_str(), until_ms))
    };
    assert_eq!((found(5), found(30)), (Some(("b", 30)), None));
}
