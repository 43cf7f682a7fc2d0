//! Randomness that is the same in every run: seeds of hash tables and ids would else decide about a count.
#![expect(unsafe_code, reason = "the symbol of the C library is taken over")]

use std::ffi::{c_uint, c_void};

/// Stands in for the C library's, in this program alone.
///
/// # Safety
/// As there: `buffer` is valid for writes of `bytes` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, bytes: usize, _flags: c_uint) -> isize {
    // SAFETY: the caller's promise.
    unsafe { buffer.write_bytes(0x5a, bytes) };
    isize::try_from(bytes).unwrap_or(isize::MAX)
}
