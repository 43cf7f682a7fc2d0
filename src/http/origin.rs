//! Which pages may call the hub. Pure; shared by the routes and the upgrade.

use std::net::IpAddr;

/// Whether a request with this `Origin` may pass. No origin is no browser. The hub's own pages have the
/// origin of the `Host` they asked; others must be on the allow-list.
pub fn origin_allowed(origin: Option<&str>, host: Option<&str>, allowed: &[String]) -> bool {
    let Some(origin) = origin else { return true };
    if allowed.iter().any(|known| known.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let from = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    matches!((from, host), (Some(from), Some(host)) if from.eq_ignore_ascii_case(host))
}

/// Whether the `Host` that was asked is this machine, by a name that no other machine can have. Where nobody
/// has to sign in, a page may otherwise make its own name point here and then pass as the hub's. No host is
/// no browser.
pub fn is_loopback_host(host: Option<&str>) -> bool {
    let Some(host) = host else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in
            ["127.0.0.1:5050", "127.0.0.1", "localhost:5050", "LOCALHOST", "[::1]:5050", "[::1]", "127.1.2.3"]
        {
            assert!(is_loopback_host(Some(host)), "{host}");
        }
        for host in [
            "evil.example:5050",
            "10.0.0.1",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "",
            "[::2]:1",
        ] {
            assert!(!is_loopback_host(Some(host)), "{host}");
        }
        assert!(is_loopback_host(None));
    }

    #[test]
    fn own_pages_and_listed_ones_pass() {
        let allowed = vec!["https://status.example.org".to_owned()];
        let host = Some("127.0.0.1:5050");
        assert!(origin_allowed(None, host, &allowed));
        assert!(origin_allowed(Some("http://127.0.0.1:5050"), host, &allowed));
        assert!(origin_allowed(Some("https://status.example.org"), host, &allowed));
        for bad in ["http://evil.example", "http://127.0.0.1:5051", "null", "127.0.0.1:5050"] {
            assert!(!origin_allowed(Some(bad), host, &allowed), "{bad}");
        }
        assert!(!origin_allowed(Some("http://127.0.0.1:5050"), None, &allowed));
    }
}
