//! The XOR mask of client frames.

/// Masks or unmasks `payload` in place (the operation is its own inverse). `key` applies to the
/// first byte given; for a later part of the same frame pass the key that [`rotate`] returns.
pub fn mask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key_byte) in tail.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= key_byte;
    }
}

/// The key as it applies to the byte `consumed_bytes` further on in the same frame.
pub(super) fn rotate(key: [u8; 4], consumed_bytes: usize) -> [u8; 4] {
    let mut rotated = key;
    rotated.rotate_left(consumed_bytes % 4);
    rotated
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_definition_of_the_rfc(payload: Vec<u8>, key: [u8; 4]) {
            let expected: Vec<u8> = payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
            let mut masked = payload;
            mask(&mut masked, key);
            prop_assert_eq!(masked, expected);
        }

        #[test]
        fn parts_with_a_rotated_key_equal_the_whole(payload: Vec<u8>, key: [u8; 4], cut: prop::sample::Index) {
            let cut = if payload.is_empty() { 0 } else { cut.index(payload.len()) };
            let mut whole = payload.clone();
            mask(&mut whole, key);
            let mut parts = payload;
            let (first, second) = parts.split_at_mut(cut);
            mask(first, key);
            mask(second, rotate(key, cut));
            prop_assert_eq!(parts, whole);
        }
    }
}
