use std::sync::Arc;

use crate::rule::cell::Cell;
use crate::rule::series::Joined;

/// What the allocator adds to a box: its size classes are an eighth apart.
const CLASS_OVERHEAD: usize = 8;

#[test]
fn a_series_of_a_threshold_takes_less_than_200_bytes() {
    let slot = size_of::<(Joined, Box<Cell>)>() + 1;
    // A table is between seven sixteenths and seven eighths full.
    let slots = (slot * 16).div_ceil(7);
    let cell = size_of::<Cell>() * (CLASS_OVERHEAD + 1) / CLASS_OVERHEAD;
    assert!(slots + cell < 200, "{slots} in the table, {cell} behind it");
    assert_eq!(size_of::<Joined>(), size_of::<Arc<u8>>());
}
