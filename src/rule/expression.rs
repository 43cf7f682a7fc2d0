//! Expressions over series: `avg(cpu_percent, 5m) > 80 and memory_percent{env="prod"} > 75`. Pure.
//!
//! Numbers and truths are two types that do not mix; what an expression says is a truth. A number that nobody knows, or
//! that is not finite (a division by nothing), makes unknown what depends on it. The grammar, and what of Prometheus'
//! language is inside, are in `docs/rules.md`.

mod call;
mod lexer;
mod number;
mod parser;
mod text;

pub use call::Function;
pub(super) use text::input_text;

use super::reason::Comparison;
use crate::alert::Matcher;

/// Longest expression, in bytes.
pub const BYTES_MAX: usize = 1_000;
/// How deep parentheses, `not` and `-` may be nested.
pub const DEPTH_MAX: usize = 16;

/// Why a text is no expression: where, what could stand there, and what does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: expected {expected}, found {found}")]
pub struct ExpressionError {
    /// The character, from 1 on.
    pub at: usize,
    /// What could stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

/// An expression over inputs of a kind: as they are written, or numbers of checked ones.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression<I> {
    /// Not negative when it was read.
    Number(f64),
    /// What is known of a series.
    Input(I),
    /// `-`
    Negative(Box<Self>),
    /// `+ - * /`
    Arithmetic(Operation, Box<Self>, Box<Self>),
    /// Two numbers beside each other.
    Comparison(Comparison, Box<Self>, Box<Self>),
    /// Both.
    And(Box<Self>, Box<Self>),
    /// At least one.
    Or(Box<Self>, Box<Self>),
    /// The opposite.
    Not(Box<Self>),
}

/// What is done with two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`
    By,
}

/// Series of a metric, and what is looked at of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The metric by the name that was written.
    pub metric: String,
    /// All must match.
    pub matchers: Vec<Matcher>,
    /// A function over a window; `None` is the newest value.
    pub call: Option<Call>,
}

/// A function over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    /// Which.
    pub function: Function,
    /// The samples of so long before a moment, that moment's included.
    pub window_ms: u64,
}

impl Expression<Input> {
    /// Reads an expression.
    ///
    /// # Errors
    /// The first place that is not as it should be.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        parser::parse(text)
    }
}

/// Seconds of a duration (`1h30m`) or a number of them.
pub fn seconds(text: &str) -> Option<f64> {
    match lexer::tokens(text).ok()?.as_slice() {
        [(lexer::Token::Duration(ms), _), _end] => Some(*ms as f64 / 1_000.0),
        [(lexer::Token::Number(number), _), _end] => Some(*number),
        _ => None,
    }
}

impl<I> Expression<I> {
    /// The input that it compares with a number, where it is nothing else.
    pub fn one_input(&self) -> Option<&I> {
        let Self::Comparison(_, one, other) = self else { return None };
        match (one.as_ref(), other.as_ref()) {
            (Self::Input(input), Self::Number(_)) => Some(input),
            _ => None,
        }
    }

    /// The same over other inputs, which are asked for from left to right.
    pub fn over<J>(self, of: &mut impl FnMut(I) -> J) -> Expression<J> {
        let mut both = |one: Box<Self>, other: Box<Self>| {
            let one = Box::new(one.over(of));
            (one, Box::new(other.over(of)))
        };
        match self {
            Self::Number(number) => Expression::Number(number),
            Self::Input(input) => Expression::Input(of(input)),
            Self::Negative(one) => Expression::Negative(Box::new(one.over(of))),
            Self::Not(one) => Expression::Not(Box::new(one.over(of))),
            Self::Arithmetic(operation, one, other) => {
                let (one, other) = both(one, other);
                Expression::Arithmetic(operation, one, other)
            }
            Self::Comparison(comparison, one, other) => {
                let (one, other) = both(one, other);
                Expression::Comparison(comparison, one, other)
            }
            Self::And(one, other) => {
                let (one, other) = both(one, other);
                Expression::And(one, other)
            }
            Self::Or(one, other) => {
                let (one, other) = both(one, other);
                Expression::Or(one, other)
            }
        }
    }

    /// Its comparisons from left to right.
    pub fn comparisons(&self) -> Vec<(Comparison, &Self, &Self)> {
        match self {
            Self::Comparison(comparison, one, other) => vec![(*comparison, one, other)],
            Self::Not(one) => one.comparisons(),
            Self::And(one, other) | Self::Or(one, other) => {
                let mut all = one.comparisons();
                all.extend(other.comparisons());
                all
            }
            Self::Number(_) | Self::Input(_) | Self::Negative(_) | Self::Arithmetic(..) => Vec::new(),
        }
    }

    /// Whether it is made of numbers alone.
    pub fn is_constant(&self) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Input(_) => false,
            Self::Negative(one) | Self::Not(one) => one.is_constant(),
            Self::Arithmetic(_, one, other)
            | Self::Comparison(_, one, other)
            | Self::And(one, other)
            | Self::Or(one, other) => one.is_constant() && other.is_constant(),
        }
    }
}
