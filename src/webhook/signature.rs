//! The signature of a request: HMAC-SHA256 over its time and its body, so that neither can be changed or sent again much
//! later. Pure.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The header that carries it.
pub const HEADER: &str = "X-InfraWatch-Signature";

/// The header's value: `t=<unix seconds>,v1=<hex of the HMAC of "t.body">`.
pub fn sign(secret: &str, unix_s: u64, body: &[u8]) -> String {
    let mut text = format!("t={unix_s},v1=");
    // A key of any length is taken.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        mac.update(unix_s.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        for byte in mac.finalize().into_bytes() {
            // Writing into a text does not fail.
            let _written = write!(text, "{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf '1795223722.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef`
    #[test]
    fn it_is_what_other_programs_compute() {
        assert_eq!(
            sign("0123456789abcdef", 1_795_223_722, b"{\"a\":1}"),
            "t=1795223722,v1=954a48f511c96956fdd54be426e831f344213dfe972325ea456a2ff31f0ed8ce"
        );
    }

    #[test]
    fn secret_time_and_body_all_count() {
        let signed = sign("secret", 7, b"body");
        for other in [sign("Secret", 7, b"body"), sign("secret", 8, b"body"), sign("secret", 7, b"bodx")] {
            assert_ne!(signed.split_once(",v1=").unwrap().1, other.split_once(",v1=").unwrap().1);
        }
    }
}
