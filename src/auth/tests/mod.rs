//! Tests of the permission tables, of tokens, and of signing in over a real store.

mod permission;
mod sign_in;
mod token;
