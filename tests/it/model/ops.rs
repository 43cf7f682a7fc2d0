//! What may happen in a history, and how often.

use proptest::prelude::*;

use super::truth::Asks;

/// Topics and clients of a history.
pub(super) const TOPICS: usize = 4;
pub(super) const CLIENTS: usize = 2;

/// Where a subscriber says that it stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum From {
    Nowhere,
    /// At the last message that it got.
    Own,
    /// So many messages before that.
    Before(u64),
    /// Beyond anything that was published.
    Beyond,
    /// In an epoch that never was.
    Foreign,
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Publish {
        topic: usize,
        urgency: usize,
        key: Option<usize>,
        place: usize,
        bytes: usize,
        times: usize,
    },
    Wait {
        ms: u64,
    },
    Subscribe {
        client: usize,
        topics: Vec<usize>,
        from: From,
        asks: Asks,
    },
    Unsubscribe {
        client: usize,
        topic: usize,
    },
    Ping {
        client: usize,
    },
    /// The kernel holds so many bytes for the client from now on; without a number the client reads all at once.
    Slow {
        client: usize,
        room: Option<usize>,
    },
    Read {
        client: usize,
        bytes: usize,
    },
    Disconnect {
        client: usize,
        reads_rest: bool,
    },
    Crash {
        topic: usize,
    },
}

/// An operation, and whether the next one comes before the hub has done anything about it.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) op: Op,
    pub(super) rush: bool,
}

/// How often what happens, in parts of any whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mix {
    pub(super) options: u32,
    pub(super) slow: u32,
    pub(super) crash: u32,
    pub(super) steps: usize,
}

fn asks(options: u32) -> impl Strategy<Value = Asks> {
    prop_oneof![
        6 => Just(Asks::Nothing),
        options => Just(Asks::Keys),
        options => Just(Asks::Labels),
        options => Just(Asks::Conflate),
        options => Just(Asks::Rate),
        options => Just(Asks::RateOfKeys),
    ]
}

fn from() -> impl Strategy<Value = From> {
    prop_oneof![
        3 => Just(From::Nowhere),
        8 => Just(From::Own),
        2 => (1u64..25).prop_map(From::Before),
        1 => Just(From::Beyond),
        1 => Just(From::Foreign),
    ]
}

fn op(mix: Mix) -> impl Strategy<Value = Op> {
    let topic = 0..TOPICS;
    let client = 0..CLIENTS;
    let key = prop_oneof![1 => Just(None), 4 => (0usize..3).prop_map(Some)];
    let publish =
        (topic.clone(), 0usize..6, key, 0usize..2, 0usize..160, prop_oneof![4 => 1usize..3, 1 => 3usize..14]);
    prop_oneof![
        28 => publish.prop_map(|(topic, urgency, key, place, bytes, times)| {
            Op::Publish { topic, urgency, key, place, bytes, times }
        }),
        8 => prop_oneof![3 => 1u64..150, 1 => 150u64..2_500].prop_map(|ms| Op::Wait { ms }),
        10 => (client.clone(), prop::collection::vec(topic.clone(), 1..3), from(), asks(mix.options))
            .prop_map(|(client, topics, from, asks)| Op::Subscribe { client, topics, from, asks }),
        2 => (client.clone(), topic.clone()).prop_map(|(client, topic)| Op::Unsubscribe { client, topic }),
        1 => client.clone().prop_map(|client| Op::Ping { client }),
        mix.slow => (client.clone(), prop_oneof![1 => Just(None), 3 => (100usize..1_500).prop_map(Some)])
            .prop_map(|(client, room)| Op::Slow { client, room }),
        mix.slow * 2 => (client.clone(), 1usize..2_500).prop_map(|(client, bytes)| Op::Read { client, bytes }),
        3 => (client, any::<bool>()).prop_map(|(client, reads_rest)| Op::Disconnect { client, reads_rest }),
        mix.crash => topic.prop_map(|topic| Op::Crash { topic }),
    ]
}

/// Histories of this mix.
pub(super) fn history(mix: Mix) -> impl Strategy<Value = Vec<Step>> {
    // Half of all histories begin with everybody on every topic.
    let everybody = (0..CLIENTS).map(|client| {
        let op =
            Op::Subscribe { client, topics: (0..TOPICS).collect(), from: From::Nowhere, asks: Asks::Nothing };
        Step { op, rush: false }
    });
    let everybody: Vec<Step> = everybody.collect();
    let step = (op(mix), prop::bool::weighted(0.4)).prop_map(|(op, rush)| Step { op, rush });
    let begins = prop_oneof![Just(Vec::new()), Just(everybody)];
    (begins, prop::collection::vec(step, 2..mix.steps)).prop_map(|(begins, steps)| [begins, steps].concat())
}
