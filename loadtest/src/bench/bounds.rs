//! What the command line accepts: a bench stays bounded in clients, bytes and time.

use std::ops::RangeInclusive;

use anyhow::{Result, ensure};

use crate::marker::MARKER_BYTES;

fn between(text: &str, bounds: RangeInclusive<f64>) -> Result<f64> {
    let value: f64 = text.parse()?;
    ensure!(bounds.contains(&value), "must lie between {} and {}", bounds.start(), bounds.end());
    Ok(value)
}

fn count(text: &str, bounds: RangeInclusive<usize>) -> Result<usize> {
    let value: usize = text.parse()?;
    ensure!(bounds.contains(&value), "must lie between {} and {}", bounds.start(), bounds.end());
    Ok(value)
}

/// Subscribers of one run.
pub(crate) fn subs(text: &str) -> Result<usize> {
    count(text, 1..=20_000)
}

/// Published data; the marker must fit.
pub(crate) fn payload_bytes(text: &str) -> Result<usize> {
    count(text, MARKER_BYTES..=60_000)
}

/// How long a part of a run lasts.
pub(crate) fn seconds(text: &str) -> Result<f64> {
    between(text, 0.0..=120.0)
}

/// Messages per second.
pub(crate) fn rate_hz(text: &str) -> Result<f64> {
    between(text, 0.1..=10_000.0)
}
