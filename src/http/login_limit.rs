//! How often one address may try to sign in.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

/// Addresses that are remembered; beyond that the quiet ones are forgotten.
const ADDRESSES_MAX: usize = 10_000;

type ByAddress<C> = RateLimiter<IpAddr, DashMapStateStore<IpAddr>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// Counts sign-ins by address; shared by all workers.
pub struct LoginLimit<C: Clock = DefaultClock> {
    limiter: Option<ByAddress<C>>,
    clock: C,
}

impl LoginLimit {
    /// So many in a minute, at once or spread; 0 does not limit.
    pub fn new(logins_per_minute: u32) -> Self {
        Self::with_clock(logins_per_minute, DefaultClock::default())
    }
}

impl<C: Clock + Clone> LoginLimit<C> {
    fn with_clock(logins_per_minute: u32, clock: C) -> Self {
        let quota = NonZeroU32::new(logins_per_minute).map(Quota::per_minute);
        let limiter = quota.map(|quota| RateLimiter::dashmap_with_clock(quota, clock.clone()));
        Self { limiter, clock }
    }

    /// `Err`: how long to wait.
    pub fn check(&self, address: IpAddr) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if limiter.len() >= ADDRESSES_MAX {
            limiter.retain_recent();
        }
        // A flood from everywhere shares one count rather than growing the map.
        let key = if limiter.len() < ADDRESSES_MAX { network(address) } else { Ipv6Addr::UNSPECIFIED.into() };
        limiter.check_key(&key).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

/// Who has one IPv6 address has the rest of its /64 too.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;
    use std::net::Ipv4Addr;

    #[test]
    fn an_address_is_limited_told_how_long_and_let_in_again() {
        let clock = FakeRelativeClock::default();
        let limit = LoginLimit::with_clock(10, clock.clone());
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for _ in 0..10 {
            limit.check(one).unwrap();
        }
        let wait = limit.check(one).unwrap_err();
        assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(6), "{wait:?}");
        limit.check(other).unwrap();
        clock.advance(wait);
        limit.check(one).unwrap();
        assert!(limit.check(one).is_err());
    }

    #[test]
    fn one_ipv6_network_counts_as_one_address() {
        let limit = LoginLimit::with_clock(1, FakeRelativeClock::default());
        limit.check("2001:db8::1".parse().unwrap()).unwrap();
        assert!(limit.check("2001:db8::2".parse().unwrap()).is_err());
        limit.check("2001:db8:0:1::1".parse().unwrap()).unwrap();
        limit.check("::ffff:10.0.0.1".parse().unwrap()).unwrap();
        assert!(limit.check("10.0.0.1".parse().unwrap()).is_err());
    }

    #[test]
    fn the_map_is_bounded_and_a_flood_shares_one_count() {
        let limit = LoginLimit::with_clock(1, FakeRelativeClock::default());
        let refused = (0..ADDRESSES_MAX as u32 + 50)
            .filter(|n| limit.check(Ipv4Addr::from_bits(0x0a00_0000 + n).into()).is_err())
            .count();
        assert_eq!(refused, 49);
        assert!(limit.limiter.as_ref().unwrap().len() <= ADDRESSES_MAX + 1);
    }

    #[test]
    fn zero_does_not_limit() {
        let limit = LoginLimit::with_clock(0, FakeRelativeClock::default());
        assert!((0..100).all(|_| limit.check(IpAddr::from([10, 0, 0, 1])).is_ok()));
    }
}
