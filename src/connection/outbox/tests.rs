use super::*;
use proptest::prelude::*;

fn outbox(bytes_max: usize, control_bytes_max: usize) -> Outbox {
    Outbox::new(Bounds { bytes_max, control_bytes_max })
}

fn entry(topic: u32, priority: Priority, offset: u64, frame: &[u8]) -> Entry {
    Entry { topic, priority, offset, messages: 1, key: None, frame: Bytes::copy_from_slice(frame) }
}

fn value(topic: u32, key: &str, offset: u64, frame: &[u8]) -> Entry {
    Entry { key: Some(key.into()), ..entry(topic, Priority::Normal, offset, frame) }
}

fn push(outbox: &mut Outbox, topic: u32, priority: Priority, text: &str) {
    outbox.push(entry(topic, priority, 1, text.as_bytes())).unwrap();
}

fn drain(outbox: &mut Outbox, chunk: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while !outbox.is_empty() {
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = outbox.head(&mut slices, chunk);
        let head: Vec<u8> = slices[..filled].iter().flat_map(|s| s.iter().copied()).collect();
        let written = chunk.min(head.len());
        out.extend_from_slice(&head[..written]);
        outbox.advance(written);
    }
    out
}

/// What is critical never waits for a second write behind what only fills up the first.
#[test]
fn only_what_is_not_urgent_is_cut_to_the_size_of_a_write() {
    let mut outbox = outbox(100, 100);
    let head = |outbox: &Outbox| {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = outbox.head(&mut slices, 4);
        slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect::<Vec<u8>>()
    };
    push(&mut outbox, 1, Priority::Normal, "normal");
    push(&mut outbox, 2, Priority::Low, "low");
    assert_eq!(head(&outbox), b"norm");
    outbox.advance(2);
    assert_eq!(head(&outbox), b"rmal", "what is begun counts, so nothing is added");
    push(&mut outbox, 3, Priority::Critical, "critical");
    outbox.push_control("!".into()).unwrap();
    assert_eq!(head(&outbox), b"rmal!critical");
    outbox.advance("rmal!critical".len());
    assert_eq!(head(&outbox), b"low");
}

#[test]
fn urgent_topics_overtake_but_never_within_a_topic() {
    let mut outbox = outbox(100, 100);
    push(&mut outbox, 1, Priority::Normal, "a1");
    push(&mut outbox, 2, Priority::Normal, "b1");
    push(&mut outbox, 3, Priority::Low, "c1");
    push(&mut outbox, 2, Priority::Critical, "b2");
    outbox.push_control("!".into()).unwrap();
    assert_eq!(drain(&mut outbox, 3), b"!b1b2a1c1");
}

#[test]
fn a_begun_frame_is_finished_before_control() {
    let mut outbox = outbox(100, 100);
    outbox.begin("rest".into(), NO_TOPIC, 0);
    outbox.push_control("!".into()).unwrap();
    push(&mut outbox, 1, Priority::Critical, "x");
    assert_eq!(drain(&mut outbox, 100), b"rest!x");
}

#[test]
fn what_did_not_go_out_whole_is_known_to_the_end() {
    let mut outbox = outbox(100, 100);
    outbox.push(entry(1, Priority::Normal, 5, b"12345")).unwrap();
    outbox.push(entry(1, Priority::Normal, 6, b"67890")).unwrap();
    outbox.push(entry(2, Priority::Normal, 9, b"abc")).unwrap();
    outbox.advance(2);
    assert_eq!((outbox.first_offset(1), outbox.first_offset(2)), (Some(5), Some(9)));
    outbox.advance(3);
    assert_eq!(outbox.first_offset(1), Some(6));
    outbox.advance(1);
    outbox.drop_data();
    drain(&mut outbox, 100);
    assert_eq!((outbox.first_offset(1), outbox.first_offset(2)), (Some(6), Some(9)));
}

#[test]
fn both_bounds_hold() {
    let mut outbox = outbox(4, 2);
    push(&mut outbox, 1, Priority::Normal, "1234");
    assert_eq!(outbox.push(entry(1, Priority::Critical, 1, b"5")), Err(Full));
    outbox.push_control("!!".into()).unwrap();
    assert_eq!(outbox.push_control("!".into()), Err(Full));
    outbox.drop_data();
    assert_eq!(outbox.bytes(), 2);
}

#[test]
fn a_newer_value_replaces_the_one_of_its_key_and_order_is_kept() {
    let mut outbox = outbox(100, 100);
    for (key, offset, text) in [("a", 1, "a1"), ("b", 2, "b2"), ("a", 3, "a3"), ("a", 4, "a4")] {
        outbox.push(value(7, key, offset, text.as_bytes())).unwrap();
    }
    assert_eq!((outbox.bytes(), outbox.first_offset(7)), (4, Some(2)));
    assert_eq!(outbox.take_lags(), [Lag { topic: 7, dropped: 0, conflated: 2 }]);
    assert_eq!(drain(&mut outbox, 100), b"b2a4");
    // What went out is no longer there to be replaced.
    outbox.push(value(7, "a", 5, b"a5")).unwrap();
    assert!(outbox.take_lags().is_empty());
}

#[test]
fn replaced_values_do_not_pile_up() {
    let mut outbox = outbox(1_000, 100);
    for offset in 0..10_000 {
        outbox.push(value(7, "a", offset, b"xx")).unwrap();
    }
    assert!(outbox.lanes[1].len() <= STALE_MAX + 2, "{}", outbox.lanes[1].len());
    assert_eq!(drain(&mut outbox, 100), b"xx");
}

#[test]
fn low_is_dropped_over_three_quarters_and_goes_first_at_the_bound() {
    let mut outbox = outbox(100, 100);
    push(&mut outbox, 1, Priority::Low, &"l".repeat(20));
    push(&mut outbox, 2, Priority::Normal, &"n".repeat(60));
    assert!(outbox.conflates() && !outbox.has_dropped());
    push(&mut outbox, 3, Priority::Low, "x");
    assert_eq!(outbox.take_lags(), [Lag { topic: 3, dropped: 1, conflated: 0 }]);
    push(&mut outbox, 2, Priority::Normal, &"n".repeat(30));
    assert_eq!(outbox.take_lags(), [Lag { topic: 1, dropped: 1, conflated: 0 }]);
    assert_eq!(outbox.push(entry(2, Priority::Normal, 1, &[b'n'; 11])), Err(Full));
    assert_eq!(drain(&mut outbox, 7), "n".repeat(90).into_bytes());
}

proptest! {
    #[test]
    fn every_frame_comes_out_once_and_in_order_of_its_topic(
        pushes in prop::collection::vec((1u32..4, 0usize..3), 1..60), chunk in 1usize..9,
    ) {
        let mut outbox = outbox(10_000, 100);
        for (n, (topic, priority)) in pushes.iter().enumerate() {
            outbox.push(entry(*topic, Priority::ALL[*priority], 1, &[*topic as u8, n as u8])).unwrap();
        }
        let out = drain(&mut outbox, chunk);
        prop_assert_eq!(out.len(), pushes.len() * 2);
        for topic in 1u8..4 {
            let seen: Vec<u8> = out.chunks(2).filter(|f| f[0] == topic).map(|f| f[1]).collect();
            let sent: Vec<u8> =
                (0..pushes.len()).filter(|n| pushes[*n].0 == u32::from(topic)).map(|n| n as u8).collect();
            prop_assert_eq!(seen, sent);
        }
    }

    /// Every message pushed is written, or counted as dropped or conflated; bytes are counted right; what is
    /// written of a topic is in order; what is critical is never lost.
    #[test]
    fn nothing_is_lost_that_is_not_counted(
        pushes in prop::collection::vec((1u32..5, 0usize..3, prop::option::of(0usize..3), 1usize..12), 1..120),
        chunk in 1usize..30, every in 1usize..9,
    ) {
        let mut outbox = outbox(120, 100);
        let (mut out, mut pushed) = (Vec::new(), 0u64);
        for (n, (topic, priority, key, length)) in pushes.iter().enumerate() {
            // A frame is its topic, its number and filling; keys belong to topic 4.
            let mut frame = vec![*topic as u8, n as u8];
            frame.resize(2 + length, b'.');
            let mut pushing = entry(*topic, Priority::ALL[*priority], n as u64 + 1, &frame);
            if *topic == 4 {
                pushing.key = Some(Arc::from(["a", "b", "c"][key.unwrap_or(0)]));
                pushing.priority = Priority::Normal;
            }
            // A value that is refused has replaced its older one all the same, which is counted.
            pushed += u64::from(outbox.push(pushing).is_ok());
            prop_assert!(outbox.bytes() <= 120 + 14);
            if n % every == 0 && !outbox.is_empty() {
                let mut slices = [IoSlice::new(&[]); 64];
                let filled = outbox.head(&mut slices, usize::MAX);
                let head: Vec<u8> = slices[..filled].iter().flat_map(|s| s.iter().copied()).collect();
                let written = chunk.min(head.len());
                out.extend_from_slice(&head[..written]);
                outbox.advance(written);
            }
        }
        let lags = outbox.take_lags();
        out.extend(drain(&mut outbox, 10));
        let mut frames: Vec<(u8, u8)> = Vec::new();
        let mut at = 0;
        while at < out.len() {
            frames.push((out[at], out[at + 1]));
            at += 2;
            while out.get(at) == Some(&b'.') {
                at += 1;
            }
        }
        let lost: u64 = lags.iter().map(|lag| lag.dropped + lag.conflated).sum();
        prop_assert_eq!(frames.len() as u64 + lost, pushed);
        for topic in 1u8..5 {
            let seen: Vec<u8> = frames.iter().filter(|f| f.0 == topic).map(|f| f.1).collect();
            prop_assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "topic {}: {:?}", topic, seen);
        }
    }
}

#[test]
fn a_topic_that_is_forgotten_leaves_nothing_behind_and_no_other_is_touched() {
    let mut outbox = outbox(100, 100);
    push(&mut outbox, 2, Priority::Low, "b1");
    for (key, offset, text) in [("a", 1, "a1"), ("b", 2, "b2"), ("a", 3, "a3")] {
        outbox.push(value(7, key, offset, text.as_bytes())).unwrap();
    }
    push(&mut outbox, 7, Priority::Critical, "c4");
    push(&mut outbox, 2, Priority::Normal, "b2");
    outbox.forget_topic(7);
    assert_eq!((outbox.bytes(), outbox.first_offset(7), outbox.stale), (4, None, 0));
    // Its keys are forgotten too: there is nothing to replace.
    outbox.take_lags();
    outbox.push(value(7, "a", 9, b"a9")).unwrap();
    assert!(outbox.take_lags().is_empty());
    assert_eq!(drain(&mut outbox, 100), b"b1b2a9");
}

/// The session of a client goes on before what it lost and was not told of.
#[test]
fn what_was_dropped_counts_as_not_sent_until_the_client_is_told() {
    let mut outbox = outbox(100, 100);
    outbox.push(entry(1, Priority::Normal, 5, &[b'x'; 80])).unwrap();
    outbox.push(entry(2, Priority::Low, 8, b"low")).unwrap();
    outbox.push(entry(2, Priority::Low, 9, b"low")).unwrap();
    assert_eq!(outbox.take_lags(), [Lag { topic: 2, dropped: 2, conflated: 0 }]);
    assert_eq!((outbox.first_offset(1), outbox.first_offset(2)), (Some(5), Some(8)));
    outbox.push_control("lagged".into()).unwrap();
    outbox.advance(3);
    assert_eq!(outbox.first_offset(2), Some(8), "half a frame tells nothing");
    outbox.advance(3 + 40);
    assert_eq!((outbox.first_offset(1), outbox.first_offset(2)), (Some(5), None), "it is told");
    // What is lost later is to be told anew, and is forgotten with its topic.
    outbox.push(entry(1, Priority::Normal, 6, &[b'x'; 79])).unwrap();
    outbox.push(entry(2, Priority::Low, 12, b"low")).unwrap();
    outbox.advance(40 + 79);
    assert!(outbox.is_empty() && !outbox.is_spent(), "it is empty, and the client does not know yet");
    assert_eq!((outbox.first_offset(1), outbox.first_offset(2)), (None, Some(12)));
    outbox.take_lags();
    outbox.forget_topic(2);
    assert!(outbox.first_offset(2).is_none() && outbox.is_spent());
}
