//! The two protocols a run can speak.

use std::io::Write as _;
use std::net::SocketAddrV4;

use clap::{Args, ValueEnum};

use crate::marker::Marker;
use crate::{protocol, upgrade};

/// Where a bench publishes.
pub(crate) const TOPIC: &str = "bench:t";
/// Of every message: nobody asks which one an answer is to.
const PUBLISH_ID: u32 = 7;

/// How a run publishes and subscribes, where it differs from the usual.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Style {
    /// Subscribers offer permessage-deflate
    #[arg(long)]
    pub(crate) deflate: bool,
    /// Publish JSON objects full of numbers instead of filler
    #[arg(long)]
    pub(crate) samples: bool,
    /// Publish with normal priority instead of critical, so that the hub may batch
    #[arg(long)]
    pub(crate) unhurried: bool,
}

/// An object such as agents and exporters send, of about `payload_bytes`: names repeat, numbers do not.
fn write_samples(marker: Marker, payload_bytes: usize, out: &mut Vec<u8>) {
    const NAMES: [&str; 5] =
        ["utilisation_percent", "memory_used_bytes", "temperature_c", "power_w", "clock_hz"];
    let begin = out.len();
    out.extend_from_slice(br#"{"stamp":""#);
    marker.write(0, out);
    out.extend_from_slice(br#"","node":"gpu-17","metrics":{"up":1"#);
    let mut number = u64::from(marker.sequence);
    for (gpu, name) in (0u32..).flat_map(|gpu| NAMES.map(|name| (gpu, name))) {
        if out.len() - begin + 2 >= payload_bytes {
            break;
        }
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let value = (number >> 40) as f64 / 256.0;
        // Writing to a vector cannot fail.
        let _ = write!(out, r#","gpu_{gpu}_{name}":{value:.2}"#);
    }
    out.extend_from_slice(b"}}");
}

/// What the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Proto {
    /// The baseline: any text subscribes, what is published comes back as it is
    Raw,
    /// The hub's native protocol, version 1
    Infrawatch,
}

impl Proto {
    /// The upgrade request of a subscriber with its number, or of the publisher, which has none.
    pub(crate) fn request(
        self,
        addr: SocketAddrV4,
        token: Option<&str>,
        number: Option<usize>,
        deflate: bool,
    ) -> String {
        let path = match (self, number) {
            (Self::Raw, Some(_)) => "/sub".to_owned(),
            (Self::Raw, None) => "/pub".to_owned(),
            (Self::Infrawatch, Some(number)) => format!("/ws/sub-{number}"),
            (Self::Infrawatch, None) => "/ws/publisher".to_owned(),
        };
        upgrade::request(&path, &addr.to_string(), token, deflate && number.is_some())
    }

    /// Appends what publishes one message whose data has `payload_bytes`.
    pub(crate) fn write_publish(self, style: Style, marker: Marker, payload_bytes: usize, out: &mut Vec<u8>) {
        if self == Self::Raw {
            return marker.write(payload_bytes, out);
        }
        let priority = if style.unhurried { "normal" } else { "critical" };
        let data = |out: &mut Vec<u8>| match style.samples {
            true => write_samples(marker, payload_bytes, out),
            false => marker.write_quoted(payload_bytes, out),
        };
        protocol::write_publish(PUBLISH_ID, TOPIC, priority, data, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_json_of_the_length_asked_for() {
        let marker = Marker { due_ns: 5, sequence: 3 };
        for (style, priority) in [
            (Style::default(), "critical"),
            (Style { samples: true, unhurried: true, ..Style::default() }, "normal"),
        ] {
            let mut out = Vec::new();
            Proto::Infrawatch.write_publish(style, marker, 2_000, &mut out);
            let frame: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(frame["payload"]["priority"], priority);
            let bytes = frame["payload"]["data"].to_string().len();
            assert!((1_990..2_050).contains(&bytes), "{bytes}");
            assert!(crate::marker::Search::new().find(&out).eq([marker]));
        }
    }
}
