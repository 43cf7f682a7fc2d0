//! Real runs: what is said is what happened.
