//! Which pages may call the hub. Pure; shared by the routes and the upgrade.

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

#[cfg(test)]
mod tests {
    use super::*;

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
