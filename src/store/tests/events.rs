use bytes::Bytes;

use super::super::{Event, StoreError, TopicHead};
use super::{Backend, Fixture, fixture, on_each};

on_each!(
    the_store_gives_out_offsets_when_several_write,
    a_topic_is_begun_once_and_many_are_compared_at_once,
    a_log_is_read_from_its_end_and_after_a_position,
    offsets_are_never_given_twice,
    the_head_outlives_its_messages,
    a_new_epoch_starts_afresh,
    a_listing_goes_back_page_by_page_over_what_may_be_read,
);

fn event(offset: u64) -> Event {
    Event {
        offset,
        id: format!("id-{offset}"),
        ts_ms: 1_000 + offset,
        key: offset.is_multiple_of(2).then(|| "even".to_owned()),
        priority: "normal".into(),
        kind: "message".into(),
        payload: Bytes::from(format!("{{\"n\":{offset}}}")),
    }
}

async fn append(f: &Fixture, topic: &str, epoch: &str, offsets: std::ops::RangeInclusive<u64>) {
    for offset in offsets {
        f.store.append_event(topic, epoch, event(offset)).await.unwrap();
    }
}

fn offsets(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.offset).collect()
}

fn head(epoch: &str, last_offset: u64) -> Option<TopicHead> {
    Some(TopicHead { epoch: epoch.into(), last_offset })
}

async fn a_log_is_read_from_its_end_and_after_a_position(backend: Backend) {
    let f = fixture(backend);
    assert_eq!(f.store.topic_head("room:a").await.unwrap(), None);
    append(&f, "room:a", "e1", 1..=10).await;
    append(&f, "room:b", "e1", 1..=2).await;
    assert_eq!(f.store.topic_head("room:a").await.unwrap(), head("e1", 10));
    let tail = f.store.tail_events("room:a", 3, None).await.unwrap();
    assert_eq!(tail, [event(8), event(9), event(10)], "whole messages, oldest first");
    assert_eq!(offsets(&f.store.tail_events("room:a", 3, Some(4)).await.unwrap()), [1, 2, 3]);
    assert_eq!(offsets(&f.store.events_after("room:a", "e1", 7, 2).await.unwrap()), [8, 9]);
    assert_eq!(f.store.events_after("room:a", "other", 7, 2).await.unwrap(), []);
    assert_eq!(f.store.tail_events("room:c", 3, None).await.unwrap(), []);
}

async fn offsets_are_never_given_twice(backend: Backend) {
    let f = fixture(backend);
    append(&f, "room:a", "e1", 1..=3).await;
    f.store.append_event("room:a", "e1", event(2)).await.unwrap();
    let other = Event { id: "other".into(), ..event(2) };
    let answer = f.store.append_event("room:a", "e1", other).await;
    assert_eq!(answer, Err(StoreError::Conflict("offset 2 of the topic is taken".into())));
    let beyond = f.store.append_event("room:a", "e1", event(5)).await;
    let no_gap = StoreError::Conflict("the next offset of the topic is 4, not 5".into());
    assert_eq!(beyond, Err(no_gap), "one before it failed");
    assert_eq!(f.store.topic_head("room:a").await.unwrap(), head("e1", 3));
    assert_eq!(offsets(&f.store.tail_events("room:a", 9, None).await.unwrap()), [1, 2, 3]);
}

async fn the_head_outlives_its_messages(backend: Backend) {
    let f = fixture(backend);
    append(&f, "room:a", "e1", 1..=10).await;
    assert_eq!(f.store.trim_topic("room:a", 4).await.unwrap(), 6);
    assert_eq!(offsets(&f.store.tail_events("room:a", 9, None).await.unwrap()), [7, 8, 9, 10]);
    assert_eq!(f.store.trim_topic("room:a", 0).await.unwrap(), 4);
    assert_eq!(f.store.topic_head("room:a").await.unwrap(), head("e1", 10));
    assert!(f.store.append_event("room:a", "e1", event(10)).await.is_err());
    f.store.append_event("room:a", "e1", event(11)).await.unwrap();
    assert_eq!(f.store.trim_topic("nowhere", 0).await.unwrap(), 0);
}

async fn a_new_epoch_starts_afresh(backend: Backend) {
    let f = fixture(backend);
    append(&f, "room:a", "e1", 1..=3).await;
    append(&f, "room:a", "e2", 1..=1).await;
    assert_eq!(f.store.topic_head("room:a").await.unwrap(), head("e2", 1));
    assert_eq!(offsets(&f.store.tail_events("room:a", 9, None).await.unwrap()), [1]);
    assert_eq!(f.store.trim_topic("room:a", 2).await.unwrap(), 2, "older epochs go first");
}

async fn a_listing_goes_back_page_by_page_over_what_may_be_read(backend: Backend) {
    let f = fixture(backend);
    for n in 1..=5 {
        append(&f, "room:a", "e1", n..=n).await;
        append(&f, "client:secret", "e1", n..=n).await;
    }
    let may_read = |topic: &str| !topic.starts_with("client:");
    let mut seen = Vec::new();
    let mut before = None;
    let mut pages = 0;
    loop {
        let page = f.store.list_events(None, before, 2, may_read).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|item| (item.topic.clone(), item.event.offset)));
        pages += 1;
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    let expected: Vec<_> = (1..=5).rev().map(|offset| ("room:a".to_owned(), offset)).collect();
    assert_eq!((seen, pages), (expected, 3));

    let one = f.store.list_events(Some("client:secret"), None, 10, |_| true).await.unwrap();
    assert_eq!((one.items.len(), one.next), (5, None));
    assert_eq!(one.items[0].event, event(5));
    assert!(f.store.list_events(Some("client:secret"), None, 10, may_read).await.unwrap().items.is_empty());
    assert!(f.store.list_events(Some("nowhere"), None, 10, |_| true).await.unwrap().items.is_empty());
}

async fn the_store_gives_out_offsets_when_several_write(backend: Backend) {
    let f = fixture(backend);
    let stores = [f.store.clone(), f.again()];
    let replies: Vec<_> = (0..40)
        .map(|n| {
            stores[n % 2].append_next(
                "room:a",
                &format!("e{}", n % 2),
                Event { id: n.to_string(), ..event(0) },
            )
        })
        .collect();
    let mut given = Vec::new();
    for (n, reply) in replies.into_iter().enumerate() {
        let (epoch, offset) = reply.await.unwrap();
        given.push((offset, epoch, n.to_string()));
    }
    given.sort();
    let epoch = given[0].1.clone();
    assert!(given.iter().all(|(_, of, _)| *of == epoch), "whoever came first gave the epoch");
    let kept = f.store.events_after("room:a", &epoch, 0, 99).await.unwrap();
    let kept: Vec<_> = kept.into_iter().map(|event| (event.offset, epoch.clone(), event.id)).collect();
    assert_eq!(kept, given);
    assert_eq!(kept.iter().map(|(offset, ..)| *offset).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
    // Both ways of appending go on from each other.
    f.store.append_event("room:a", &epoch, event(41)).await.unwrap();
    assert_eq!(stores[1].append_next("room:a", "other", event(0)).await.unwrap(), (epoch, 42));
}

async fn a_topic_is_begun_once_and_many_are_compared_at_once(backend: Backend) {
    let f = fixture(backend);
    let other = f.again();
    let begun = f.store.open_topic("room:a", "e1").await.unwrap();
    assert_eq!(begun, TopicHead { epoch: "e1".into(), last_offset: 0 });
    assert_eq!(other.open_topic("room:a", "e2").await.unwrap(), begun, "whoever came first gave the epoch");
    assert_eq!(other.append_next("room:a", "e3", event(0)).await.unwrap(), ("e1".to_owned(), 1));
    for n in 0..250 {
        drop(f.store.open_topic(&format!("n{n}"), "e"));
    }
    f.store.settled().await.unwrap();
    let names = (0..260).map(|n| format!("n{n}")).chain(["room:a".to_owned()]).collect();
    let heads = f.store.topic_heads(names).await.unwrap();
    assert_eq!(heads.len(), 251, "those that there are, each once");
    assert!(heads.contains(&("room:a".to_owned(), TopicHead { epoch: "e1".into(), last_offset: 1 })));
    assert_eq!(f.store.topic_heads(Vec::new()).await.unwrap(), []);
}
