//! Which other programs are told what happens.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};

/// Webhooks that there may be.
const WEBHOOKS_MAX: usize = 16;

/// Characters of a secret; a short one can be guessed from one signature.
const SECRET_CHARS: std::ops::RangeInclusive<usize> = 16..=256;

/// What a webhook can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookEvent {
    /// A client has connected.
    Connect,
    /// A connection is over.
    Disconnect,
    /// The first member is in a room.
    RoomOccupied,
    /// The last one is out.
    RoomVacated,
}

impl WebhookEvent {
    /// The name in settings and requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::RoomOccupied => "room_occupied",
            Self::RoomVacated => "room_vacated",
        }
    }
}

/// One program that is told.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSection {
    /// Where requests go: `http://` only, TLS is not built in.
    pub url: String,
    /// Shared with the receiver; signs every request.
    pub secret: String,
    /// What it is told of.
    pub events: Vec<WebhookEvent>,
}

impl fmt::Debug for WebhookSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = f.debug_struct("WebhookSection");
        section.field("url", &self.url).field("events", &self.events).finish_non_exhaustive()
    }
}

impl WebhookSection {
    /// Checks all of them.
    pub fn check(webhooks: &[Self]) -> Result<(), ConfigError> {
        in_range("webhook (sections)", webhooks.len(), 0, WEBHOOKS_MAX)?;
        for Self { url, secret, events } in webhooks {
            let uri = url.parse::<ureq::http::Uri>().ok();
            let is_http = uri.is_some_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
            if !is_http {
                return Err(refused("webhook.url", "an http:// URL (TLS is not built in)", url));
            }
            in_range(
                "webhook.secret (characters)",
                secret.chars().count(),
                *SECRET_CHARS.start(),
                *SECRET_CHARS.end(),
            )?;
            if events.is_empty() {
                return Err(refused("webhook.events", "at least one event", "none"));
            }
        }
        Ok(())
    }
}

fn refused(key: &'static str, allowed: &str, found: &str) -> ConfigError {
    ConfigError::OutOfRange { key, allowed: allowed.to_owned(), found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    use crate::config::Settings;

    fn check(text: &str) -> Result<(), String> {
        let settings: Settings = toml::from_str(text).map_err(|e| e.to_string())?;
        settings.check().map_err(|e| e.to_string())
    }

    fn section(url: &str, secret: &str, events: &str) -> String {
        format!("[[webhook]]\nurl = {url:?}\nsecret = {secret:?}\nevents = {events}\n")
    }

    #[test]
    fn a_webhook_needs_a_plain_url_a_long_secret_and_events() {
        let good = section("http://127.0.0.1:80/hook", "0123456789abcdef", r#"["connect", "room_vacated"]"#);
        check(&good).unwrap();
        check(&good.repeat(16)).unwrap();
        for (text, expected) in [
            (section("https://a", "0123456789abcdef", "[\"connect\"]"), "TLS is not built in"),
            (section("a/b", "0123456789abcdef", "[\"connect\"]"), "webhook.url"),
            (section("http://a", "short", "[\"connect\"]"), "must be 16 to 256, not 5"),
            (section("http://a", "0123456789abcdef", "[]"), "at least one event"),
            (section("http://a", "0123456789abcdef", "[\"explode\"]"), "room_occupied"),
            (good.repeat(17), "webhook (sections) must be 0 to 16, not 17"),
        ] {
            let error = check(&text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let settings: Settings =
            toml::from_str(&section("http://a", "0123456789abcdef", "[\"connect\"]")).unwrap();
        let shown = format!("{settings:?}");
        assert!(shown.contains("http://a") && !shown.contains("0123456789abcdef"), "{shown}");
    }
}
