//! Whether the hub is one of several on one store, and where the others reach it.

use std::net::SocketAddr;

use super::{HubError, HubOptions};
use crate::engine::Carrier;
use crate::http::State;
use crate::ids::NodeName;
use crate::ownership::Leasing;
use crate::store::{HubNodeRecord, Store};

/// The part of this hub among those on the same PostgreSQL and Redis; `None`: it is alone.
pub(super) fn leasing(
    options: &HubOptions,
    store: &Store,
    carrier: Option<&Carrier>,
    node: &NodeName,
    listens: SocketAddr,
) -> Result<Option<Leasing>, HubError> {
    let Some(carrier) = carrier.filter(|_| store.is_apart()) else { return Ok(None) };
    let address = match &options.advertise {
        Some(given) => checked(given)?,
        None => reached_at(listens, rustix::system::uname().nodename().to_str().unwrap_or("localhost")),
    };
    let hub = HubNodeRecord { instance: carrier.instance().to_owned(), node: node.to_string(), address };
    Ok(Some(Leasing::new(store, hub, options.settings.engine.clone())))
}

fn checked(given: &str) -> Result<String, HubError> {
    let has_both = given.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if !has_both {
        return Err(HubError::Setting(format!("--advertise must be HOST:PORT, not {given:?}")));
    }
    Ok(given.to_owned())
}

/// An address that stands for all of the machine's is none that others could use.
fn reached_at(listens: SocketAddr, host_name: &str) -> String {
    if listens.ip().is_unspecified() {
        return format!("{host_name}:{}", listens.port());
    }
    listens.to_string()
}

/// Gives back what it owns, when all of that is committed.
pub(super) async fn leave(state: &State) {
    let Some(leasing) = &state.leasing else { return };
    // What is not committed by now is refused under the next owner's fence.
    drop(state.store.settled().await);
    leasing.leave().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_told_an_address_that_they_can_use() {
        let at = |listens: &str| reached_at(listens.parse().unwrap(), "hub-1");
        assert_eq!(at("10.0.0.7:5050"), "10.0.0.7:5050");
        assert_eq!(at("0.0.0.0:5050"), "hub-1:5050");
        assert_eq!(at("[::]:5050"), "hub-1:5050");
        assert_eq!(at("[::1]:5050"), "[::1]:5050");
        assert_eq!(checked("hub-1.example.org:443").unwrap(), "hub-1.example.org:443");
        for wrong in ["hub-1", ":5050", "http://hub-1:5050", "hub-1:0", "hub-1:http"] {
            assert!(checked(wrong).is_err(), "{wrong}");
        }
    }
}
