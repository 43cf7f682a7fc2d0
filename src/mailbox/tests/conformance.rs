//! What every mailbox promises: one suite, run on each.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Case, NOW_MS, bounds, fill, ids, item, leases};
use crate::mailbox::{
    BATCH_MAX, Bounds, Depth, Item, MailboxError, Nacked, PAYLOAD_BYTES_MAX, Put, SILENT, STARVED_TAKES,
};
use crate::protocol::priority::Priority::{Critical, Low, Normal};

/// Each case on each mailbox.
macro_rules! suite {
    ($($case:ident with $bounds:expr;)*) => {
        mod memory {
            use super::*;
            $(#[tokio::test] async fn $case() { super::$case(Case::in_memory($bounds)).await; })*
        }
        mod redis {
            use super::*;
            $(#[tokio::test] async fn $case() { super::$case(Case::in_redis($bounds)).await; })*
        }
        /// One after the other: a cluster takes seconds to start.
        #[tokio::test]
        async fn redis_cluster() {
            let cluster = infrawatch_servers::RedisCluster::start();
            $($case(Case::in_cluster($bounds, &cluster, stringify!($case))).await;)*
        }
    };
}

suite! {
    urgent_items_come_first_and_the_older_of_two with bounds();
    a_low_item_is_not_starved with bounds();
    an_id_is_put_once_while_the_mailbox_has_it with bounds();
    what_does_not_fit_is_refused with Bounds { items_max: 3, ..bounds() };
    bytes_are_bounded with Bounds { bytes_max: 100, ..bounds() };
    nothing_is_handed_out_before_its_time_or_after_its_end with bounds();
    a_lease_that_runs_out_is_handed_out_again_and_acknowledged_once with bounds();
    an_extended_lease_lasts with bounds();
    what_is_not_done_comes_again with bounds();
    after_so_many_deliveries_an_item_is_dead_and_can_be_requeued with bounds();
    the_oldest_dead_letters_leave with Bounds { deliveries_max: 1, dead_max: 2, ..bounds() };
    a_dead_letter_waits_for_room with Bounds { deliveries_max: 1, items_max: 1, ..bounds() };
    payloads_come_out_as_they_went_in with bounds();
    calls_are_bounded with bounds();
}

async fn urgent_items_come_first_and_the_older_of_two(case: Case) {
    let items =
        [(Low, "l1"), (Normal, "n1"), (Critical, "c1"), (Normal, "n2"), (Critical, "c2"), (Low, "l2")];
    fill(&*case.mailbox, items.map(|(priority, id)| item(priority, id)).into()).await;
    assert_eq!(case.mailbox.depth().await.unwrap().waiting, [2, 2, 2]);
    let first = case.take(3).await;
    assert_eq!(ids(&first), ["c1", "c2", "n1"]);
    assert_eq!((first[0].priority, first[2].priority, first[0].deliveries), (Critical, Normal, 1));
    assert_eq!(ids(&case.take(99).await), ["n2", "l1", "l2"]);
    assert!(case.take(99).await.is_empty());
    let depth = case.mailbox.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.leased, depth.items()), ([0; 3], 6, 6));
    assert_eq!(case.mailbox.ack(leases(&first)).await.unwrap(), 3);
    assert_eq!(case.mailbox.depth().await.unwrap().leased, 3);
}

async fn a_low_item_is_not_starved(case: Case) {
    fill(&*case.mailbox, vec![item(Low, "low"), item(Normal, "normal")]).await;
    let mut waited = (0, 0);
    for take in 1..=STARVED_TAKES + 1 {
        let urgent: Vec<Item> = (0..2).map(|n| item(Critical, &format!("c{take}-{n}"))).collect();
        fill(&*case.mailbox, urgent).await;
        let taken = case.take(1).await;
        assert_eq!(taken.len(), 1);
        match ids(&taken)[0] {
            "low" => waited.0 = take,
            "normal" => waited.1 = take,
            _ => {}
        }
    }
    assert_eq!(waited, (STARVED_TAKES, STARVED_TAKES + 1));
    // With room for several only one place of each is kept.
    fill(&*case.mailbox, (0..90).map(|n| item(Low, &format!("l{n}"))).collect()).await;
    let mut low = 0;
    for take in 1..=STARVED_TAKES {
        fill(&*case.mailbox, (0..4).map(|n| item(Critical, &format!("d{take}-{n}"))).collect()).await;
        low += case.take(4).await.iter().filter(|leased| leased.priority == Low).count();
    }
    assert_eq!(low, 1);
}

async fn an_id_is_put_once_while_the_mailbox_has_it(case: Case) {
    let put = async |id: &str| case.mailbox.put(vec![item(Normal, id)]).await.unwrap()[0];
    let twice = case.mailbox.put(vec![item(Normal, "a"), item(Critical, "a"), item(Low, "b")]).await.unwrap();
    assert_eq!(twice, [Put::Accepted, Put::Duplicate, Put::Accepted]);
    assert_eq!(put("a").await, Put::Duplicate);
    let taken = case.take(1).await;
    assert_eq!((ids(&taken), put("a").await), (vec!["a"], Put::Duplicate), "leased");
    assert!(case.mailbox.bury(taken[0].lease.clone(), "no").await.unwrap());
    assert_eq!(put("a").await, Put::Duplicate, "dead");
    let taken = case.take(1).await;
    case.mailbox.ack(leases(&taken)).await.unwrap();
    assert_eq!(put("b").await, Put::Accepted, "done");
}

async fn what_does_not_fit_is_refused(case: Case) {
    let items = ["a", "b", "a", "c", "d", "c"].map(|id| item(Normal, id));
    let puts = case.mailbox.put(items.into()).await.unwrap();
    let expected = [Put::Accepted, Put::Accepted, Put::Duplicate, Put::Accepted, Put::Full, Put::Duplicate];
    assert_eq!(puts, expected);
    let taken = case.take(1).await;
    assert_eq!(case.mailbox.put(vec![item(Critical, "d")]).await.unwrap(), [Put::Full], "leased ones count");
    case.mailbox.ack(leases(&taken)).await.unwrap();
    assert_eq!(case.mailbox.put(vec![item(Critical, "d")]).await.unwrap(), [Put::Accepted]);
}

async fn bytes_are_bounded(case: Case) {
    let sized = |id: &str, bytes: usize| Item::now(Normal, id, Bytes::from(vec![b'x'; bytes]));
    let puts = case.mailbox.put(vec![sized("a", 60), sized("b", 41), sized("c", 40)]).await.unwrap();
    assert_eq!(puts, [Put::Accepted, Put::Full, Put::Accepted]);
    assert_eq!(case.mailbox.depth().await.unwrap().bytes, 100);
    let taken = case.take(1).await;
    let twice = [leases(&taken), leases(&taken)].concat();
    assert_eq!(case.mailbox.ack(twice).await.unwrap(), 1);
    assert_eq!(case.mailbox.depth().await.unwrap().bytes, 40);
    let mut short = sized("d", 60);
    short.ttl_ms = Some(10);
    fill(&*case.mailbox, vec![short]).await;
    case.hand.advance_ms(10);
    assert_eq!(ids(&case.take(9).await), ["c"]);
    assert_eq!(case.mailbox.depth().await.unwrap().bytes, 40, "what expired gave its room back");
}

async fn nothing_is_handed_out_before_its_time_or_after_its_end(case: Case) {
    let later = |id: &str, delay_ms| Item { delay_ms, ..item(Normal, id) };
    let short = |id: &str, ttl_ms| Item { ttl_ms: Some(ttl_ms), ..item(Critical, id) };
    fill(&*case.mailbox, vec![later("l2", 200), later("l1", 100), short("s", 100), item(Normal, "now")])
        .await;
    assert_eq!(case.mailbox.depth().await.unwrap().waiting, [1, 3, 0]);
    case.hand.advance_ms(99);
    let taken = case.take(9).await;
    assert_eq!(ids(&taken), ["s", "now"]);
    assert_eq!(case.mailbox.nack(leases(&taken), 0, "busy").await.unwrap(), [Nacked::Again; 2]);
    case.hand.advance_ms(1);
    assert_eq!(ids(&case.take(9).await), ["now", "l1"]);
    case.hand.advance_ms(100);
    assert_eq!(ids(&case.take(9).await), ["l2"]);
    assert_eq!(case.mailbox.put(vec![item(Low, "s")]).await.unwrap(), [Put::Accepted], "it is forgotten");
}

async fn a_lease_that_runs_out_is_handed_out_again_and_acknowledged_once(case: Case) {
    fill(&*case.mailbox, ["a", "b", "c"].map(|id| item(Normal, id)).into()).await;
    let first = case.take(2).await;
    case.hand.advance_ms(999);
    assert_eq!(ids(&case.take(9).await), ["c"]);
    case.hand.advance_ms(1);
    fill(&*case.mailbox, vec![item(Normal, "d")]).await;
    let second = case.take(9).await;
    assert_eq!(ids(&second), ["a", "b", "d"], "what was taken back goes before what came later");
    assert_eq!((second[0].deliveries, second[2].deliveries), (2, 1));
    assert_eq!(case.mailbox.ack(leases(&first)).await.unwrap(), 0, "it is somebody else's");
    assert_eq!(case.mailbox.nack(leases(&first), 0, "late").await.unwrap(), [Nacked::NotHeld; 2]);
    assert!(!case.mailbox.extend(first[0].lease.clone(), 9).await.unwrap());
    assert!(!case.mailbox.bury(first[0].lease.clone(), "late").await.unwrap());
    assert_eq!(case.mailbox.ack(leases(&second)).await.unwrap(), 3);
    assert_eq!(case.mailbox.ack(leases(&second)).await.unwrap(), 0);
}

async fn an_extended_lease_lasts(case: Case) {
    fill(&*case.mailbox, vec![item(Low, "a")]).await;
    let taken = case.take(1).await;
    case.hand.advance_ms(900);
    assert!(case.mailbox.extend(taken[0].lease.clone(), 1_000).await.unwrap());
    case.hand.advance_ms(999);
    assert!(case.take(1).await.is_empty());
    assert_eq!(case.mailbox.ack(leases(&taken)).await.unwrap(), 1);
    assert_eq!(case.mailbox.depth().await.unwrap(), Depth::default());
}

async fn what_is_not_done_comes_again(case: Case) {
    fill(&*case.mailbox, ["a", "b", "c", "d"].map(|id| item(Normal, id)).into()).await;
    let taken = case.take(3).await;
    let nacked = case.mailbox.nack(leases(&taken[..2]), 0, "busy").await.unwrap();
    assert_eq!(nacked, [Nacked::Again, Nacked::Again]);
    case.mailbox.nack(leases(&taken[2..]), 500, "busy").await.unwrap();
    let again = case.take(9).await;
    assert_eq!(ids(&again), ["a", "b", "d"], "in their order, ahead of what waits");
    assert_eq!((again[0].deliveries, again[2].deliveries), (2, 1));
    case.hand.advance_ms(500);
    assert_eq!(ids(&case.take(9).await), ["c"]);
}

async fn after_so_many_deliveries_an_item_is_dead_and_can_be_requeued(case: Case) {
    fill(&*case.mailbox, vec![item(Critical, "silent"), item(Low, "refused"), item(Normal, "fine")]).await;
    for delivery in 1..=3 {
        let taken = case.take(9).await;
        assert_eq!(taken.len(), if delivery == 1 { 3 } else { 2 });
        assert!(taken.iter().all(|leased| leased.deliveries == delivery));
        let of = |id: &str| leases(&taken).into_iter().filter(|lease| &*lease.id == id).collect();
        case.mailbox.ack(of("fine")).await.unwrap();
        let nacked = case.mailbox.nack(of("refused"), 10, "status 500").await.unwrap();
        assert_eq!(nacked, [if delivery == 3 { Nacked::Dead } else { Nacked::Again }]);
        case.hand.advance_ms(1_000);
    }
    assert!(case.take(9).await.is_empty());
    assert_eq!(case.mailbox.depth().await.unwrap(), Depth { dead: 2, ..Depth::default() });
    let dead = case.mailbox.dead(9).await.unwrap();
    let told: Vec<_> =
        dead.iter().map(|dead| (&*dead.id, dead.priority, dead.deliveries, &*dead.reason)).collect();
    assert_eq!(told, [("refused", Low, 3, "status 500"), ("silent", Critical, 3, SILENT)]);
    assert_eq!((dead[0].died_ms, &*dead[1].payload), (NOW_MS + 2_000, &b"payload of silent"[..]));
    assert_eq!(case.mailbox.dead(1).await.unwrap().len(), 1);
    let asked = ["silent", "unknown", "refused"].map(Into::into);
    assert_eq!(case.mailbox.requeue(asked.into()).await.unwrap(), 2);
    let taken = case.take(9).await;
    assert_eq!((ids(&taken), taken[0].deliveries), (vec!["silent", "refused"], 1));
    assert_eq!(case.mailbox.ack(leases(&taken)).await.unwrap(), 2);
    assert_eq!(case.mailbox.depth().await.unwrap(), Depth::default());
}

async fn the_oldest_dead_letters_leave(case: Case) {
    for id in ["a", "b", "c"] {
        fill(&*case.mailbox, vec![item(Normal, id)]).await;
        let taken = case.take(1).await;
        assert_eq!(case.mailbox.nack(leases(&taken), 0, "no").await.unwrap(), [Nacked::Dead]);
    }
    let dead: BTreeSet<_> = case.mailbox.dead(9).await.unwrap().into_iter().map(|dead| dead.id).collect();
    assert_eq!(dead, BTreeSet::from(["b".into(), "c".into()]));
    assert_eq!(case.mailbox.put(vec![item(Low, "a")]).await.unwrap(), [Put::Accepted]);
}

async fn a_dead_letter_waits_for_room(case: Case) {
    fill(&*case.mailbox, vec![item(Normal, "a")]).await;
    let taken = case.take(1).await;
    assert!(case.mailbox.bury(taken[0].lease.clone(), "never").await.unwrap());
    fill(&*case.mailbox, vec![item(Normal, "b")]).await;
    assert_eq!(case.mailbox.requeue(vec!["a".into()]).await.unwrap(), 0);
    let taken = case.take(1).await;
    case.mailbox.ack(leases(&taken)).await.unwrap();
    assert_eq!(case.mailbox.requeue(vec!["a".into()]).await.unwrap(), 1);
    assert_eq!(ids(&case.take(1).await), ["a"]);
}

async fn payloads_come_out_as_they_went_in(case: Case) {
    let payloads: Vec<Bytes> =
        vec![Bytes::new(), (0..=255).collect::<Vec<u8>>().into(), vec![0; PAYLOAD_BYTES_MAX].into()];
    let odd = ["a:b:c", "1:2:é", " %d"];
    let items = odd.iter().zip(&payloads).map(|(id, payload)| Item::now(Normal, *id, payload.clone()));
    fill(&*case.mailbox, items.collect()).await;
    let taken = case.take(9).await;
    assert_eq!(ids(&taken), odd);
    assert!(taken.iter().map(|leased| &leased.payload).eq(&payloads));
    assert_eq!(case.mailbox.ack(leases(&taken)).await.unwrap(), 3);
    assert_eq!(case.mailbox.depth().await.unwrap(), Depth::default());
}

async fn calls_are_bounded(case: Case) {
    let many = (0..=BATCH_MAX).map(|n| item(Normal, &n.to_string())).collect();
    let large = vec![Item::now(Low, "a", vec![0; PAYLOAD_BYTES_MAX + 1].into())];
    for items in [many, large, vec![item(Low, "")], vec![item(Low, &"x".repeat(257))]] {
        let refused = case.mailbox.put(items).await;
        assert!(matches!(refused, Err(MailboxError::Oversized(_))), "{refused:?}");
    }
    assert_eq!(case.mailbox.depth().await.unwrap(), Depth::default());
    assert!(case.mailbox.take(BATCH_MAX + 1, 1).await.is_err());
    assert!(case.mailbox.take(0, 1).await.unwrap().is_empty());
    fill(&*case.mailbox, (0..BATCH_MAX).map(|n| item(Normal, &n.to_string())).collect()).await;
    let taken = case.take(BATCH_MAX).await;
    assert_eq!(taken.len(), BATCH_MAX);
    assert_eq!(case.mailbox.ack(leases(&taken)).await.unwrap(), BATCH_MAX);
}
