//! Alerts: those that are kept ([`search`], [`one`], [`statistics`], [`export`]), those that are posted ([`posting`]), what
//! people do to them ([`by_hand`]), and what was told to everybody who subscribes to their severity ([`broadcasts`]).

pub mod broadcasts;
pub mod by_hand;
pub mod export;
pub mod one;
pub mod posting;
pub mod search;
pub mod statistics;
