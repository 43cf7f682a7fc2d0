//! What a plan has where nothing is said.

pub(super) fn connections() -> usize {
    25
}

pub(super) fn rate_hz() -> f64 {
    10.0
}

pub(super) fn payload_bytes() -> usize {
    200
}

pub(super) fn topic() -> String {
    "bench:t".to_owned()
}

pub(super) fn duration_s() -> f64 {
    3.0
}

pub(super) fn window() -> u32 {
    64
}

pub(super) fn reconnects() -> u32 {
    200
}

pub(super) fn slow_share() -> f64 {
    0.2
}

pub(super) fn churn_hz() -> f64 {
    10.0
}

pub(super) fn agents() -> usize {
    5
}

pub(super) fn samples_per_frame() -> usize {
    20
}

pub(super) fn inflight() -> usize {
    256
}
