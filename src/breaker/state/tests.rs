use super::*;
use proptest::prelude::*;

const OPEN_MS: u64 = 30_000;

fn breaker() -> Breaker {
    Breaker::new(BreakerSection::default(), 0)
}

fn call(breaker: &mut Breaker, now_ms: u64, is_good: bool) -> Result<(), Shut> {
    let pass = breaker.enter(now_ms)?;
    breaker.verdict(now_ms, pass, is_good);
    Ok(())
}

/// Opens it by failures.
fn opened(now_ms: u64) -> Breaker {
    let mut breaker = breaker();
    for _ in 0..20 {
        call(&mut breaker, now_ms, false).unwrap();
    }
    assert_eq!(breaker.state(), State::Open);
    breaker
}

#[test]
fn half_of_twenty_calls_open_it_and_nineteen_do_not() {
    let mut breaker = breaker();
    for n in 0..18 {
        call(&mut breaker, n, n % 2 == 0).unwrap();
    }
    call(&mut breaker, 18, false).unwrap();
    assert_eq!(breaker.state(), State::Closed, "19 calls say nothing");
    call(&mut breaker, 19, true).unwrap();
    assert_eq!(breaker.state(), State::Closed, "a good call opens nothing");
    call(&mut breaker, 20, false).unwrap();
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.reason().to_string(), "11 of 21 calls failed within 10 s");
    assert_eq!(call(&mut breaker, 1_020, true), Err(Shut { retry_after_ms: Some(29_000) }));
}

#[test]
fn failures_that_are_long_ago_do_not_open_it() {
    let mut breaker = breaker();
    for second in 0..100 {
        call(&mut breaker, second * 1_000, false).unwrap();
    }
    assert_eq!(breaker.state(), State::Closed, "ten within any window");
}

#[test]
fn good_probes_close_it_and_a_bad_one_opens_it_again() {
    let mut breaker = opened(0);
    assert!(breaker.enter(OPEN_MS - 1).is_err());
    let probes: Vec<Pass> = (0..3).map(|_| breaker.enter(OPEN_MS).unwrap()).collect();
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(breaker.enter(OPEN_MS).is_err(), "three probes and no more");
    for probe in &probes[..2] {
        breaker.verdict(OPEN_MS, *probe, true);
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    let mut other = breaker.clone();
    breaker.verdict(OPEN_MS, probes[2], true);
    assert_eq!((breaker.state(), breaker.reason()), (State::Closed, &Reason::ProbesGood(3)));
    other.verdict(OPEN_MS + 5, probes[2], false);
    assert_eq!((other.state(), other.retry_after_ms(OPEN_MS + 5)), (State::Open, Some(OPEN_MS)));
}

#[test]
fn verdicts_of_a_former_life_do_not_count() {
    let mut breaker = breaker();
    let late: Vec<Pass> = (0..3).map(|_| breaker.enter(0).unwrap()).collect();
    for _ in 0..20 {
        call(&mut breaker, 0, false).unwrap();
    }
    let probe = breaker.enter(OPEN_MS).unwrap();
    for pass in &late {
        breaker.verdict(OPEN_MS, *pass, true);
        breaker.give_back(*pass);
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.give_back(probe);
    assert_eq!(
        (0..9).filter(|_| breaker.enter(OPEN_MS).is_ok()).count(),
        3,
        "a probe given back is free again"
    );
}

#[test]
fn probes_that_are_never_heard_of_again_do_not_jam_it() {
    let mut breaker = opened(0);
    for _ in 0..3 {
        breaker.enter(OPEN_MS).unwrap();
    }
    assert!(breaker.enter(2 * OPEN_MS - 1).is_err());
    assert!(breaker.enter(2 * OPEN_MS).is_ok());
}

#[test]
fn forced_open_it_stays_so_until_it_is_reset() {
    let mut breaker = breaker();
    breaker.degrade(5, "ann".into());
    breaker.tick(u64::MAX / 2);
    breaker.observe(6, 100, 0);
    assert_eq!(breaker.enter(u64::MAX / 2), Err(Shut { retry_after_ms: None }));
    assert!(breaker.is_forced());
    assert!(breaker.recover(7, "ann".into()));
    assert!(!breaker.recover(8, "bob".into()), "it is closed");
    assert_eq!(breaker.reason().to_string(), "recovered by ann");
    assert_eq!(breaker.counted(8), Tally::default());
}

#[derive(Debug, Clone)]
enum Step {
    Call(bool),
    Abandon,
    Observe(u64, u64),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => any::<bool>().prop_map(Step::Call),
        1 => Just(Step::Abandon),
        1 => (0u64..4, 0u64..4).prop_map(|(good, bad)| Step::Observe(good, bad)),
        2 => (0u64..20_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #[test]
    fn it_opens_only_when_enough_calls_of_the_window_failed(steps in steps()) {
        let mut breaker = breaker();
        let (mut now_ms, mut counted) = (0u64, Vec::<(u64, u64, u64)>::new());
        for step in steps {
            let before = breaker.state();
            match step {
                Step::Wait(ms) => now_ms += ms,
                Step::Abandon => drop(breaker.enter(now_ms).map(|pass| breaker.give_back(pass))),
                Step::Call(is_good) => {
                    if call(&mut breaker, now_ms, is_good).is_ok() {
                        counted.push((now_ms, u64::from(is_good), u64::from(!is_good)));
                    }
                }
                Step::Observe(good, bad) => {
                    breaker.observe(now_ms, good, bad);
                    counted.push((now_ms, good, bad));
                }
            }
            if before == State::Closed && breaker.state() == State::Open {
                let recent = counted.iter().filter(|(at, ..)| at + 10_000 >= now_ms);
                let (good, bad) = recent.fold((0, 0), |(good, bad), (_, g, b)| (good + g, bad + b));
                prop_assert!(good + bad >= 20, "opened after {} calls", good + bad);
                prop_assert!(bad > 0);
            }
            if breaker.state() != State::Closed {
                counted.clear();
            }
        }
    }

    #[test]
    fn half_open_lets_no_more_than_its_probes_through(asks in 1usize..50, verdicts in prop::collection::vec(any::<bool>(), 0..3)) {
        let mut breaker = opened(0);
        let passes: Vec<Pass> = (0..asks).filter_map(|_| breaker.enter(OPEN_MS).ok()).collect();
        prop_assert_eq!(passes.len(), asks.min(3));
        prop_assert!(passes.iter().all(|pass| pass.is_probe()));
        for (pass, is_good) in passes.into_iter().zip(verdicts) {
            breaker.verdict(OPEN_MS, pass, is_good);
            if breaker.state() == State::HalfOpen && asks >= 3 {
                prop_assert!(breaker.enter(OPEN_MS).is_err(), "a verdict frees no place");
            }
        }
    }

    #[test]
    fn good_probes_always_bring_it_back(steps in steps()) {
        let mut breaker = breaker();
        let mut now_ms = 0u64;
        for step in steps {
            match step {
                Step::Wait(ms) => now_ms += ms,
                Step::Abandon => drop(breaker.enter(now_ms)),
                Step::Call(is_good) => drop(call(&mut breaker, now_ms, is_good)),
                Step::Observe(good, bad) => breaker.observe(now_ms, good, bad),
            }
        }
        now_ms += OPEN_MS;
        for _ in 0..3 {
            prop_assert!(call(&mut breaker, now_ms, true).is_ok());
        }
        prop_assert_eq!(breaker.state(), State::Closed);
    }
}
