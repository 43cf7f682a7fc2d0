//! The values of one frame as bytes. Most measured values are short: small integers, byte counts,
//! percentages that were 32-bit floats. Their zero bytes at the low end are left out.
//!
//! Layout: version (1), then a nibble per value (how many of its 8 bytes follow, most significant first;
//! 15 is *missing*), padded to a byte, then those bytes. Which value is which metric is not in here.

const VERSION: u8 = 1;
const MISSING: u8 = 15;

/// Encodes `values`; NaN stands for *missing*.
pub(super) fn encode(values: &[f64]) -> Vec<u8> {
    let table_bytes = values.len().div_ceil(2);
    let mut data = vec![0; 1 + table_bytes];
    data.reserve(values.len() * 5);
    data[0] = VERSION;
    for (position, value) in values.iter().enumerate() {
        let nibble = if value.is_nan() {
            MISSING
        } else {
            let bits = value.to_bits();
            let bytes = 8 - bits.trailing_zeros() / 8;
            data.extend_from_slice(&bits.to_be_bytes()[..bytes as usize]);
            bytes as u8
        };
        data[1 + position / 2] |= nibble << (4 * (position % 2));
    }
    data
}

/// Decodes `count` values; `None` when the data is not what [`encode`] makes of that many.
pub(super) fn decode(data: &[u8], count: usize) -> Option<Vec<f64>> {
    let mut values = Vec::with_capacity(count);
    for value in Values::new(data, count)? {
        values.push(value?);
    }
    Some(values)
}

/// Decodes only the value at `position` of `count`.
pub(super) fn decode_one(data: &[u8], count: usize, position: usize) -> Option<f64> {
    if position >= count {
        return None;
    }
    Values::new(data, count)?.nth(position)?
}

struct Values<'a> {
    table: &'a [u8],
    bytes: &'a [u8],
    position: usize,
    count: usize,
}

impl<'a> Values<'a> {
    fn new(data: &'a [u8], count: usize) -> Option<Self> {
        let (version, rest) = data.split_first()?;
        if *version != VERSION {
            return None;
        }
        let (table, bytes) = rest.split_at_checked(count.div_ceil(2))?;
        Some(Self { table, bytes, position: 0, count })
    }

    fn take(&mut self) -> Option<f64> {
        let pair = self.table.get(self.position / 2)?;
        let nibble = (pair >> (4 * (self.position % 2))) & 0x0f;
        self.position += 1;
        if nibble == MISSING {
            return Some(f64::NAN);
        }
        let (taken, rest) = self.bytes.split_at_checked(usize::from(nibble))?;
        let mut bits = [0; 8];
        bits.get_mut(..taken.len())?.copy_from_slice(taken);
        self.bytes = rest;
        Some(f64::from_bits(u64::from_be_bytes(bits)))
    }
}

impl Iterator for Values<'_> {
    type Item = Option<f64>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.position < self.count).then(|| self.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn same(a: f64, b: f64) -> bool {
        a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded_bit_for_bit(values in prop::collection::vec(any::<f64>(), 0..40)) {
            let data = encode(&values);
            let decoded = decode(&data, values.len()).unwrap();
            prop_assert_eq!(decoded.len(), values.len());
            for (position, value) in values.iter().enumerate() {
                prop_assert!(same(decoded[position], *value));
                prop_assert!(same(decode_one(&data, values.len(), position).unwrap(), *value));
            }
        }

        #[test]
        fn damaged_data_is_refused_or_read_but_never_panics(
            data in prop::collection::vec(any::<u8>(), 0..64), count in 0_usize..100,
        ) {
            if let Some(values) = decode(&data, count) {
                prop_assert_eq!(values.len(), count);
            }
            decode_one(&data, count, count / 2);
        }
    }

    #[test]
    fn short_values_take_little_room() {
        assert_eq!(encode(&[0.0, 1.0, f64::NAN, 16_384.0]).len(), 1 + 2 + 2 + 2);
        assert_eq!(encode(&[f64::from(17.3_f32)]).len(), 1 + 1 + 5);
        assert_eq!(decode(&encode(&[1.0, 2.0])[..3], 2), None, "cut off");
    }
}
