//! The bytes of a spool segment. Pure: no files, no clock.
//!
//! ```text
//! segment = MAGIC record*
//! record  = payload_bytes: u32 | crc32: u32 | seq: u64 | payload      (little endian)
//! ```
//!
//! The checksum covers `seq` and the payload. Sequence numbers grow within a segment and across segments.

pub(super) const MAGIC: [u8; 8] = *b"IWSPOOL1";
pub(super) const HEADER_BYTES: usize = 16;
/// No record is larger; a length beyond it is damage.
pub(super) const PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// What precedes a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) payload_bytes: usize,
    pub(super) seq: u64,
    crc32: u32,
}

impl Header {
    /// `None` when the length cannot be one.
    pub(super) fn decode(bytes: [u8; HEADER_BYTES]) -> Option<Self> {
        let [l0, l1, l2, l3, c0, c1, c2, c3, seq @ ..] = bytes;
        let payload_bytes = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let header =
            Self { payload_bytes, seq: u64::from_le_bytes(seq), crc32: u32::from_le_bytes([c0, c1, c2, c3]) };
        (payload_bytes <= PAYLOAD_BYTES_MAX).then_some(header)
    }

    /// Whether `payload` is what was written under this header.
    pub(super) fn matches(&self, payload: &[u8]) -> bool {
        payload.len() == self.payload_bytes && checksum(self.seq, payload) == self.crc32
    }
}

/// Bytes that a payload takes in a segment.
pub(super) const fn record_bytes(payload_bytes: usize) -> u64 {
    (HEADER_BYTES + payload_bytes) as u64
}

/// One record, header and payload.
pub(super) fn encode(seq: u64, payload: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEADER_BYTES + payload.len());
    record.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    record.extend_from_slice(&checksum(seq, payload).to_le_bytes());
    record.extend_from_slice(&seq.to_le_bytes());
    record.extend_from_slice(payload);
    record
}

fn checksum(seq: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seq.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// What is still good in a segment after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Scan {
    /// Good records.
    pub(super) records: u64,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    /// Where the last good record ends: what follows is to be cut off. 0 when there is no good record.
    pub(super) bytes: u64,
}

/// Walks over the records. A record whose checksum fails is passed over when its length still leads to
/// the next; a length that cannot be true ends the walk.
pub(super) fn scan(bytes: &[u8]) -> Scan {
    let mut scan = Scan::default();
    let Some(mut rest) = bytes.strip_prefix(&MAGIC) else {
        return scan;
    };
    while let Some((header, after)) =
        rest.split_first_chunk().and_then(|(h, t)| Some((Header::decode(*h)?, t)))
    {
        let Some((payload, next)) = after.split_at_checked(header.payload_bytes) else {
            break;
        };
        rest = next;
        if header.matches(payload) && header.seq > scan.last_seq {
            scan.first_seq = if scan.records == 0 { header.seq } else { scan.first_seq };
            scan.last_seq = header.seq;
            scan.records += 1;
            scan.bytes = (bytes.len() - rest.len()) as u64;
        }
    }
    scan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(payloads: &[&str]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (seq, payload) in (10..).zip(payloads) {
            bytes.extend(encode(seq, payload.as_bytes()));
        }
        bytes
    }

    #[test]
    fn a_whole_segment_scans_to_its_end() {
        let bytes = segment(&["one", "", "three"]);
        let expected = Scan { records: 3, first_seq: 10, last_seq: 12, bytes: bytes.len() as u64 };
        assert_eq!(scan(&bytes), expected);
        assert_eq!(scan(b""), Scan::default());
        assert_eq!(scan(b"IWSPOOL9"), Scan::default());
    }

    #[test]
    fn cut_at_any_byte_the_whole_records_before_remain() {
        let bytes = segment(&["one", "", "three"]);
        let ends = [8, 8 + 19, 8 + 19 + 16, bytes.len()];
        for cut in 0..bytes.len() {
            let whole = ends.iter().skip(1).filter(|end| **end <= cut).count() as u64;
            let found = scan(&bytes[..cut]);
            assert_eq!(found.records, whole, "cut at {cut}");
            assert_eq!(
                found.bytes as usize,
                if whole == 0 { 0 } else { ends[whole as usize] },
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_flipped_payload_costs_its_own_record_only() {
        let mut bytes = segment(&["one", "two", "three"]);
        bytes[8 + 19 + 16] ^= 0x40;
        let found = scan(&bytes);
        assert_eq!((found.records, found.first_seq, found.last_seq), (2, 10, 12));
        assert_eq!(found.bytes, bytes.len() as u64);
    }

    #[test]
    fn a_length_beyond_reason_is_damage() {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&(PAYLOAD_BYTES_MAX as u32 + 1).to_le_bytes());
        assert_eq!(Header::decode(header), None);
    }
}
