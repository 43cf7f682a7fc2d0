//! The servers of a Redis Cluster that have slots, as `CLUSTER SLOTS` tells them. Pure.

use bb8_redis::redis::{FromRedisValue, Value};

/// A range of slots, both ends included.
pub(super) type Slots = (u16, u16);

/// A server that has slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Master {
    /// `HOST:PORT`.
    pub(super) address: String,
    /// The first of its ranges.
    pub(super) slots: Slots,
}

/// Each server once. `ranges` have first and last slot, the server that has them, and those that stand by.
pub(super) fn masters(ranges: &[Vec<Value>]) -> Vec<Master> {
    let mut found: Vec<Master> = Vec::new();
    for master in ranges.iter().filter_map(|range| master(range)) {
        if found.iter().all(|known| known.address != master.address) {
            found.push(master);
        }
    }
    found
}

fn master(range: &[Value]) -> Option<Master> {
    let [Value::Int(first), Value::Int(last), Value::Array(server), ..] = range else { return None };
    let [host, port, ..] = &server[..] else { return None };
    let (host, port) = (String::from_redis_value_ref(host).ok()?, u16::from_redis_value_ref(port).ok()?);
    let slots = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
    Some(Master { address: format!("{host}:{port}"), slots })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_told_once() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let server =
            |port| Value::Array(vec![text("10.0.0.1"), Value::Int(port), text("id"), Value::Array(vec![])]);
        let range =
            |first, last, port| vec![Value::Int(first), Value::Int(last), server(port), server(9_999)];
        let told = vec![
            range(0, 99, 7_000),
            range(100, 16_000, 7_001),
            range(16_001, 16_383, 7_000),
            vec![Value::Nil],
        ];
        let master = |port: u16, slots| Master { address: format!("10.0.0.1:{port}"), slots };
        assert_eq!(masters(&told), [master(7_000, (0, 99)), master(7_001, (100, 16_000))]);
    }
}
