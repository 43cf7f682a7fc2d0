//! Random secrets, their hashes, and comparing them without telling how much was right.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Bytes of a secret: 256 bit.
pub(super) const SECRET_BYTES: usize = 32;

/// 256 random bits.
pub(super) fn random() -> [u8; SECRET_BYTES] {
    rand::random()
}

/// 256 random bits as 43 characters that need no escaping in a URL.
pub(super) fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(random())
}

/// SHA-256 of a secret's text. Secrets have 256 random bits, so that no slow hash is needed.
pub(super) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Compares in a time that does not depend on where they differ.
pub(super) fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let difference = a.iter().zip(b).fold(0_u8, |seen, (x, y)| std::hint::black_box(seen | (x ^ y)));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_equal_hashes_are_the_same() {
        let (a, mut b) = (hash("a"), hash("a"));
        assert!(same(&a, &b));
        for position in 0..32 {
            b[position] ^= 1;
            assert!(!same(&a, &b), "byte {position}");
            b[position] ^= 1;
        }
    }

    #[test]
    fn secrets_are_long_and_never_twice() {
        let secrets: std::collections::HashSet<_> = (0..1_000).map(|_| random_text()).collect();
        assert_eq!(secrets.len(), 1_000);
        assert!(secrets.iter().all(|secret| secret.len() == 43));
    }
}
