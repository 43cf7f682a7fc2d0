use std::sync::Arc;

use serde_json::{Value, json};

use super::Do::{self, S, T};
use super::{absence, carry_out, rule, series, steps, written};
use crate::rule::evaluator::Evaluator;
use crate::rule::{Phase, Rule, TOLD_APART_MS};

type Row<'a> = (&'a str, Value, &'a [Do], &'a [&'a str]);

fn check(rows: &[Row<'_>], rule: impl Fn(&Value) -> Arc<Rule>) {
    for (what, changes, script, expected) in rows {
        assert_eq!(steps(&rule(changes), script), *expected, "{what}");
    }
}

#[test]
fn a_threshold_and_its_clock() {
    let long = json!({"for_duration_seconds": 30});
    let kept = json!({"keep_firing_seconds": 20});
    check(
        &[
            (
                "0 fires at once",
                json!({}),
                &[S(1, 80.0), S(2, 80.1), S(3, 80.0)],
                &["2 ok>firing", "3 firing>ok"],
            ),
            (
                "the first hit starts the clock",
                long.clone(),
                &[S(1, 90.0), S(30, 90.0), S(31, 90.0), S(32, 10.0)],
                &["1 ok>pending", "31 pending>firing", "32 firing>ok"],
            ),
            (
                "one miss while pending drops it",
                long.clone(),
                &[S(1, 90.0), S(30, 10.0), S(31, 90.0), S(60, 90.0), S(61, 90.0)],
                &["1 ok>pending", "30 pending>ok", "31 ok>pending", "61 pending>firing"],
            ),
            ("time is that of samples", long.clone(), &[T(1), S(1, 90.0), T(60), T(100)], &["1 ok>pending"]),
            (
                "older samples are ignored",
                long,
                &[S(1, 90.0), S(20, 90.0), S(19, 10.0), S(20, 10.0), S(31, 90.0)],
                &["1 ok>pending", "31 pending>firing"],
            ),
            (
                "further breaches are told",
                json!({}),
                &[S(1, 90.0), S(2, 91.0), S(5, 92.0)],
                &["1 ok>firing", "2 firing", "5 firing"],
            ),
            (
                "keep_firing runs from the first miss",
                kept.clone(),
                &[S(1, 90.0), S(5, 10.0), S(24, 10.0), S(25, 10.0)],
                &["1 ok>firing", "25 firing>ok"],
            ),
            (
                "a hit ends keep_firing",
                kept,
                &[S(1, 90.0), S(5, 10.0), S(24, 90.0), S(30, 10.0), S(49, 10.0), S(50, 10.0)],
                &["1 ok>firing", "24 firing", "50 firing>ok"],
            ),
            (
                "keep_firing is nothing to a pending one",
                json!({"for_duration_seconds": 30, "keep_firing_seconds": 20}),
                &[S(1, 90.0), S(2, 10.0)],
                &["1 ok>pending", "2 pending>ok"],
            ),
            (
                "a breach lasts until the recovery value",
                json!({"recovery_value": 70.0}),
                &[S(1, 75.0), S(2, 81.0), S(3, 75.0), S(4, 70.0), S(5, 75.0)],
                &["2 ok>firing", "3 firing", "4 firing>ok"],
            ),
            (
                "a recovery value below",
                json!({"comparison": "<=", "value": 10.0, "recovery_value": 20.0}),
                &[S(1, 10.0), S(2, 20.0), S(3, 20.1), S(4, 20.0)],
                &["1 ok>firing", "2 firing", "3 firing>ok"],
            ),
        ],
        rule,
    );
}

#[test]
fn every_comparison() {
    for (sign, value, expected) in [
        (">", 80.0, false),
        (">", 81.0, true),
        (">=", 80.0, true),
        (">=", 79.0, false),
        ("<", 80.0, false),
        ("<", 79.0, true),
        ("<=", 80.0, true),
        ("<=", 81.0, false),
        ("==", 80.0, true),
        ("==", 80.5, false),
        ("!=", 80.0, false),
        ("!=", 80.5, true),
    ] {
        let fired = !steps(&rule(&json!({"comparison": sign})), &[S(1, value)]).is_empty();
        assert_eq!(fired, expected, "{value} {sign} 80");
    }
}

#[test]
fn the_end_of_a_series() {
    let with = |no_data: &str| json!({"no_data": no_data, "no_data_seconds": 60, "for_duration_seconds": 10});
    let fires: &[Do] = &[S(1, 90.0), S(11, 90.0), S(20, f64::NAN), S(30, 10.0)];
    let silent: &[Do] = &[T(1), S(1, 90.0), S(11, 90.0), T(70), T(71), T(500)];
    check(
        &[
            ("kept", with("keep"), fires, &["1 ok>pending", "11 pending>firing", "30 firing>ok"]),
            ("ok", with("ok"), fires, &["1 ok>pending", "11 pending>firing", "20 firing>ok"]),
            ("silent, kept", with("keep"), silent, &["1 ok>pending", "11 pending>firing"]),
            ("silent, ok", with("ok"), silent, &["1 ok>pending", "11 pending>firing", "71 firing>ok"]),
            (
                "NaN drops a pending one",
                with("keep"),
                &[S(1, 90.0), S(5, f64::NAN), S(11, 90.0)],
                &["1 ok>pending", "5 pending>ok", "11 ok>pending"],
            ),
            (
                "silence drops it as well",
                with("keep"),
                &[T(1), S(1, 90.0), T(61)],
                &["1 ok>pending", "61 pending>ok"],
            ),
            (
                "a gap is silence",
                with("keep"),
                &[S(1, 90.0), S(62, 90.0)],
                &["1 ok>pending", "61 pending>ok", "62 ok>pending"],
            ),
            ("infinity is ignored", json!({}), &[S(1, f64::INFINITY)], &[]),
        ],
        rule,
    );
}

#[test]
fn silence_as_an_alert() {
    let with = |no_data: &str| json!({"no_data": no_data, "no_data_seconds": 60, "for_duration_seconds": 10});
    check(
        &[
            (
                "alert, silent",
                with("alert"),
                &[T(1), S(1, 10.0), T(60), T(61), T(99), S(100, 10.0)],
                &["61 silent", "100 silence over"],
            ),
            (
                "alert, and what is pending drops",
                with("alert"),
                &[T(1), S(1, 90.0), T(70), S(70, 90.0), S(80, 90.0)],
                &[
                    "1 ok>pending",
                    "61 pending>ok",
                    "61 silent",
                    "70 silence over",
                    "70 ok>pending",
                    "80 pending>firing",
                ],
            ),
            (
                "alert, and what fires goes on, by its own condition",
                json!({"no_data": "alert", "no_data_seconds": 60}),
                &[T(1), S(1, 90.0), T(70), S(100, 95.0), S(200, 10.0)],
                &[
                    "1 ok>firing",
                    "61 silent",
                    "100 silence over",
                    "100 firing",
                    "160 silent",
                    "200 silence over",
                    "200 firing>ok",
                ],
            ),
            (
                "alert, NaN",
                with("alert"),
                &[S(1, 10.0), S(2, f64::NAN), S(100, 10.0)],
                &["2 silent", "100 silence over"],
            ),
            (
                "alert, a sample too old to end it",
                with("alert"),
                &[T(1), S(1, 10.0), T(100), S(30, 10.0), S(41, 10.0)],
                &["61 silent", "61 silence over"],
            ),
            (
                "alert, and a lasting silence fires once",
                json!({"no_data": "alert", "no_data_seconds": 60, "auto_resolve_seconds": 100}),
                &[T(1), S(1, 90.0), T(500), T(900), S(901, 1.0), T(961)],
                &["1 ok>firing", "61 silent", "101 firing>ok", "161 silence over", "961 silent"],
            ),
        ],
        rule,
    );
}

#[test]
fn silence_counts_from_the_first_tick_on() {
    let rule = rule(&json!({"no_data": "alert", "no_data_seconds": 60}));
    let script = [S(1, 10.0), T(1_000), T(1_059), T(1_060)];
    assert_eq!(steps(&rule, &script), ["1060 silent"], "the hub heard nothing before 1000");
}

#[test]
fn auto_resolve_runs_from_the_last_breach() {
    let auto = json!({"auto_resolve_seconds": 60, "keep_firing_seconds": 500});
    check(
        &[
            (
                "without samples",
                auto.clone(),
                &[T(1), S(1, 90.0), S(5, 90.0), T(64), T(65), T(99)],
                &["1 ok>firing", "5 firing", "65 firing>ok"],
            ),
            (
                "with good ones",
                auto.clone(),
                &[S(1, 90.0), S(50, 10.0), S(61, 10.0), S(62, 10.0)],
                &["1 ok>firing", "61 firing>ok"],
            ),
            (
                "a breach at that moment is in time",
                auto,
                &[S(1, 90.0), S(61, 90.0)],
                &["1 ok>firing", "61 firing"],
            ),
        ],
        rule,
    );
}

#[test]
fn absence_and_the_dead_mans_switch() {
    let long = json!({"for_duration_seconds": 10});
    check(
        &[
            (
                "silent for so long",
                json!({}),
                &[T(1), S(1, 1.0), T(30), T(31), T(99), S(100, 1.0)],
                &["31 ok>firing", "100 firing>ok"],
            ),
            (
                "and for",
                long.clone(),
                &[T(1), S(1, 1.0), T(31), T(40), T(41)],
                &["31 ok>pending", "41 pending>firing"],
            ),
            (
                "at their times, however late the tick",
                long.clone(),
                &[T(1), S(1, 1.0), T(500)],
                &["31 ok>pending", "41 pending>firing"],
            ),
            (
                "a gap between samples",
                long,
                &[S(1, 1.0), S(35, 1.0), S(66, 1.0)],
                &["31 ok>pending", "35 pending>ok", "65 ok>pending", "66 pending>ok"],
            ),
            ("NaN is no sample", json!({}), &[T(1), S(1, 1.0), S(20, f64::NAN), T(31)], &["31 ok>firing"]),
            (
                "a sample from before the silence proves nothing",
                json!({}),
                &[T(1), S(1, 1.0), T(100), S(70, 1.0), S(71, 1.0)],
                &["31 ok>firing", "71 firing>ok"],
            ),
            ("never seen", json!({}), &[T(1), T(30), T(31), S(40, 1.0)], &["31 ok>firing", "40 firing>ok"]),
            ("seen in time", json!({}), &[T(1), S(20, 1.0), T(49)], &[]),
            (
                "resolved once",
                json!({"auto_resolve_seconds": 60}),
                &[T(1), S(1, 1.0), T(500), T(900)],
                &["31 ok>firing", "91 firing>ok"],
            ),
        ],
        absence,
    );
}

#[test]
fn at_the_end_of_time_a_tick_comes_to_its_end() {
    let mut evaluator = Evaluator::new(absence(&json!({"for_duration_seconds": 10})));
    let mut out = Vec::new();
    evaluator.tick(u64::MAX - 1, &mut out);
    evaluator.tick(u64::MAX, &mut out);
    assert_eq!(
        out.iter().map(|step| (step.at_ms, step.to)).collect::<Vec<_>>(),
        [(u64::MAX, Phase::Pending), (u64::MAX, Phase::Firing)]
    );
}

#[test]
fn what_nobody_has_seen_goes_by_its_matchers() {
    let rule = absence(&json!({"matchers": ["node=db-1", "job=~b.*"]}));
    let mut evaluator = Evaluator::new(rule);
    let mut out = Vec::new();
    evaluator.tick(1_000, &mut out);
    evaluator.tick(31_000, &mut out);
    assert_eq!(written(&out), ["31 ok>firing"]);
    assert_eq!(
        out[0].series.labels().iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(),
        ["node=db-1"]
    );
    let labels = [("node", "db-1"), ("job", "backup")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let real = Arc::new(crate::rule::Series::new("cpu_percent", labels));
    evaluator.observe(&real, 40_000, 1.0, &mut out);
    assert_eq!(written(&out[1..]), ["40 firing>ok"]);
    assert_eq!(out[1].reason.to_string(), "a series came");
    assert_eq!(evaluator.series_count(), 1);
}

#[test]
fn an_absence_that_names_nobody_waits_for_somebody_first() {
    let rule = absence(&json!({"matchers": ["node=~.+", "load_test="]}));
    let mut evaluator = Evaluator::new(rule);
    let mut out = Vec::new();
    evaluator.tick(1_000, &mut out);
    evaluator.tick(100_000, &mut out);
    assert_eq!((written(&out), evaluator.series_count()), (vec![], 0));
}

#[test]
fn rates_and_anomalies() {
    let rate = json!({"kind": "rate", "value": 2.0, "window_seconds": 10});
    let percent = json!({"kind": "rate", "value": 50.0, "unit": "percent", "window_seconds": 10});
    let odd =
        json!({"kind": "anomaly", "comparison": null, "value": null, "window_points": 5, "samples_min": 3});
    check(
        &[
            (
                "a second",
                rate.clone(),
                &[S(1, 0.0), S(6, 10.0), S(11, 30.0), S(12, 30.1)],
                &["11 ok>firing", "12 firing"],
            ),
            ("too short to be judged", rate, &[S(1, 0.0), S(5, 1e6)], &[]),
            (
                "percent",
                percent,
                &[S(1, 10.0), S(6, 15.0), S(7, 15.1), S(12, 15.0)],
                &["7 ok>firing", "12 firing>ok"],
            ),
            (
                "an anomaly",
                odd,
                &[S(1, 1.0), S(2, 99.0), S(3, 1.0), S(4, 99.0), S(5, 400.0), S(6, 99.0)],
                &["5 ok>firing", "6 firing>ok"],
            ),
        ],
        rule,
    );
}

#[test]
fn what_hours_of_the_day_are_like_outlives_the_end_of_a_series() {
    let odd = json!({"kind": "anomaly", "comparison": null, "value": null, "window_points": 5, "samples_min": 3,
        "seasonal": true});
    let day = 86_400;
    let script = [S(1, 1.0), S(2, 2.0), S(3, 1.0), S(day, f64::NAN), S(day + 1, 90.0), S(day + 3_600, 90.0)];
    let at = [format!("{} ok>firing", day + 1)];
    assert_eq!(steps(&rule(&odd), &script), at, "of the next hour nothing is known");
}

#[test]
fn further_breaches_are_told_once_a_second_and_older_steps_have_no_time_of_their_own() {
    let mut evaluator = Evaluator::new(rule(&json!({})));
    let one = series("cpu_percent", "web-1");
    let mut out = Vec::new();
    for at_ms in (1_000..=4_000).step_by(100) {
        evaluator.observe(&one, at_ms, 90.0, &mut out);
    }
    assert_eq!(written(&out), ["1 ok>firing", "2 firing", "3 firing", "4 firing"]);
    assert!(out.windows(2).all(|pair| pair[1].at_ms - pair[0].at_ms >= TOLD_APART_MS));
}

#[test]
fn steps_say_why() {
    let mut evaluator = Evaluator::new(rule(&json!({"for_duration_seconds": 30, "recovery_value": 70.0})));
    let out = carry_out(&mut evaluator, &[S(1, 93.1), S(31, 75.5), S(40, 65.0)]);
    let reasons: Vec<String> = out.iter().map(|step| step.reason.to_string()).collect();
    assert_eq!(reasons, ["value 93.1 > 80", "value 75.5 > 70 for 30 s", "value 65 not > 80"]);
    assert_eq!(out.iter().map(|step| step.value).collect::<Vec<_>>(), [Some(93.1), Some(75.5), Some(65.0)]);
}

#[test]
fn explanations() {
    let mut evaluator = Evaluator::new(rule(&json!({"for_duration_seconds": 30})));
    let one = series("cpu_percent", "web-1");
    assert_eq!(evaluator.explain(&one), None);
    carry_out(&mut evaluator, &[S(1, 93.1), S(13, 95.0)]);
    let told = evaluator.explain(&one).unwrap();
    assert_eq!(told.text, "pending: 12 of 30 s, value 95 > 80");
    assert_eq!((told.phase, told.since_ms, told.value), (Phase::Pending, Some(1_000), Some(95.0)));
    assert_eq!((told.held_ms, told.needed_ms, told.seen_ms), (Some(12_000), Some(30_000), Some(13_000)));
    carry_out(&mut evaluator, &[S(14, 3.0)]);
    assert_eq!(evaluator.explain(&one).unwrap().text, "ok, value 3 not > 80");
    assert_eq!(evaluator.explanations().count(), 1);
}
