//! Tests of the permission tables, and of signing in over a real store.

mod permission;
mod sign_in;
