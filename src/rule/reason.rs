//! Why a series changed its phase, in numbers that are cheap to carry and in words when they are asked for. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::expression::Expression;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// `>`
    #[serde(rename = ">")]
    Above,
    /// `>=`
    #[serde(rename = ">=")]
    AtLeast,
    /// `<`
    #[serde(rename = "<")]
    Below,
    /// `<=`
    #[serde(rename = "<=")]
    AtMost,
    /// `==`
    #[serde(rename = "==")]
    Equal,
    /// `!=`
    #[serde(rename = "!=")]
    NotEqual,
}

impl Comparison {
    /// Reads the sign.
    pub fn parse(sign: &str) -> Option<Self> {
        Some(match sign {
            ">" => Self::Above,
            ">=" => Self::AtLeast,
            "<" => Self::Below,
            "<=" => Self::AtMost,
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            _ => return None,
        })
    }

    /// The sign.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    /// Whether the comparison holds.
    pub fn holds(self, value: f64, limit: f64) -> bool {
        #[expect(clippy::float_cmp, reason = "people who write == mean it")]
        match self {
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
            Self::Equal => value == limit,
            Self::NotEqual => value != limit,
        }
    }

    /// The same with its sides changed over.
    pub(super) fn turned(self) -> Self {
        match self {
            Self::Above => Self::Below,
            Self::AtLeast => Self::AtMost,
            Self::Below => Self::Above,
            Self::AtMost => Self::AtLeast,
            Self::Equal | Self::NotEqual => self,
        }
    }

    /// Whether more is worse.
    pub fn is_upward(self) -> bool {
        matches!(self, Self::Above | Self::AtLeast)
    }

    /// Whether less is worse.
    pub fn is_downward(self) -> bool {
        matches!(self, Self::Below | Self::AtMost)
    }
}

/// In what a rate is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateUnit {
    /// Change a second.
    PerSecond,
    /// Change over the window, in percent of the value at its begin.
    Percent,
}

/// What a condition looked at, and what it says of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// A value beside a limit (the recovery value while a breach lasts).
    Threshold {
        /// The sample's value.
        value: f64,
        /// How it is compared.
        comparison: Comparison,
        /// With what.
        limit: f64,
    },
    /// A change beside a limit.
    Rate {
        /// The change.
        change: f64,
        /// In what.
        unit: RateUnit,
        /// How it is compared.
        comparison: Comparison,
        /// With what.
        limit: f64,
        /// Over how long.
        window_ms: u64,
    },
    /// A value beside what was normal.
    Anomaly {
        /// The sample's value.
        value: f64,
        /// How many standard deviations it is from the mean.
        score: f64,
        /// How many are too many.
        sigma: f64,
    },
    /// Samples that do not come.
    Absence {
        /// For how long none may come.
        absent_ms: u64,
    },
    /// Several conditions.
    Composite {
        /// A bit for each that holds, the first one lowest.
        holding: u16,
        /// How many there are.
        of: u8,
    },
    /// The comparisons of an expression.
    Expression {
        /// The first of them.
        parts: Parts,
    },
    /// The series was silent for so long that it counts as ended.
    NoData {
        /// For how long.
        silent_ms: u64,
    },
    /// The series said that it ends, or has too few samples to be judged.
    Ended,
    /// No sample breached for so long.
    AutoResolved {
        /// For how long.
        after_ms: u64,
    },
    /// Stood for a series that nobody had seen; there is one now.
    Seen,
    /// The series was silent, and is no more.
    Heard,
    /// The series was silent for so long that nobody is to be told of it any more.
    StillSilent {
        /// For how long.
        after_ms: u64,
    },
}

/// Most comparisons of an expression that are told.
const PARTS_MAX: usize = 4;

/// The first comparisons of an expression whose numbers are known, from left to right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parts([Option<Part>; PARTS_MAX]);

/// A comparison of an expression: its number there, and both sides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) number: u8,
    pub(super) comparison: Comparison,
    pub(super) left: f64,
    pub(super) right: f64,
}

impl Parts {
    pub(super) fn of<I>(expression: &Expression<I>, known: &impl Fn(&I) -> Option<f64>) -> Self {
        let comparisons = (0..).zip(expression.comparisons());
        let mut told = comparisons.filter_map(|(number, (comparison, left, right))| {
            Some(Part { number, comparison, left: left.number(known)?, right: right.number(known)? })
        });
        Self(std::array::from_fn(|_place| told.next()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Part> {
        self.0.iter().flatten()
    }

    /// In words, with the sides as they are named.
    pub(super) fn text(&self, side: &impl Fn(&Part, bool, f64) -> String) -> String {
        let texts = self.iter().map(|part| {
            let not = if part.comparison.holds(part.left, part.right) { "" } else { "not " };
            let (left, right) = (side(part, true, part.left), side(part, false, part.right));
            format!("{left} {not}{} {right}", part.comparison.sign())
        });
        texts.collect::<Vec<_>>().join(", ")
    }
}

/// Why a step was taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// What was looked at.
    #[serde(flatten)]
    pub cause: Cause,
    /// Whether the condition holds.
    pub holds: bool,
    /// For how long it has held, in milliseconds of sample time.
    pub held_ms: u64,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.holds { "" } else { "not " };
        match self.cause {
            Cause::Threshold { value, comparison, limit } => {
                write!(f, "value {} {not}{} {}", number(value), comparison.sign(), number(limit))?;
            }
            Cause::Rate { change, unit, comparison, limit, window_ms } => {
                let unit = if unit == RateUnit::Percent { " %" } else { " per second" };
                let (change, limit) = (number(change), number(limit));
                let window = duration(window_ms);
                write!(f, "change {change} {not}{} {limit}{unit} over {window}", comparison.sign())?;
            }
            Cause::Anomaly { value, score, sigma } => {
                let (value, score, sigma) = (number(value), number(score), number(sigma));
                write!(f, "value {value} is {score} standard deviations off, {not}beyond {sigma}")?;
            }
            Cause::Absence { absent_ms } if self.holds => write!(f, "no sample for {}", duration(absent_ms))?,
            Cause::Absence { .. } => f.write_str("a sample came")?,
            Cause::Composite { holding, of } => composite(f, holding, of)?,
            Cause::Expression { parts } => f.write_str(&parts.text(&|_, _, value| number(value)))?,
            Cause::NoData { silent_ms } => write!(f, "no data for {}", duration(silent_ms))?,
            Cause::Ended => f.write_str("the series ended, or cannot be judged yet")?,
            Cause::AutoResolved { after_ms } => write!(f, "no breach for {}", duration(after_ms))?,
            Cause::Seen => f.write_str("a series came")?,
            Cause::Heard => f.write_str("samples come again")?,
            Cause::StillSilent { after_ms } => write!(f, "still no data {} later", duration(after_ms))?,
        }
        f.write_str(&held(self.held_ms))
    }
}

/// ` for 30 s`
pub(super) fn held(held_ms: u64) -> String {
    if held_ms == 0 { String::new() } else { format!(" for {}", duration(held_ms)) }
}

fn composite(f: &mut fmt::Formatter<'_>, holding: u16, of: u8) -> fmt::Result {
    let numbers = (0..of).filter(|bit| holding & (1 << bit) != 0).map(|bit| (bit + 1).to_string());
    let numbers: Vec<String> = numbers.collect();
    match numbers.as_slice() {
        [] => write!(f, "none of {of} conditions holds"),
        [one] => write!(f, "condition {one} of {of} holds"),
        several => write!(f, "conditions {} of {of} hold", several.join(", ")),
    }
}

/// At most three digits behind the point.
pub(super) fn number(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e15).contains(&value.abs()) {
        return format!("{value:e}");
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `30 s`, `1.5 s`.
pub(super) fn duration(ms: u64) -> String {
    format!("{} s", number(ms as f64 / 1_000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_in_words() {
        let of = |cause, holds, held_ms| Reason { cause, holds, held_ms }.to_string();
        let over = Cause::Threshold { value: 93.1, comparison: Comparison::Above, limit: 80.0 };
        assert_eq!(of(over, true, 30_000), "value 93.1 > 80 for 30 s");
        assert_eq!(of(over, true, 0), "value 93.1 > 80");
        assert_eq!(of(over, false, 0), "value 93.1 not > 80");
        let rate = Cause::Rate {
            change: -12.0,
            unit: RateUnit::Percent,
            comparison: Comparison::AtMost,
            limit: -10.0,
            window_ms: 60_000,
        };
        assert_eq!(of(rate, true, 0), "change -12 <= -10 % over 60 s");
        assert_eq!(of(Cause::Absence { absent_ms: 1_500 }, true, 0), "no sample for 1.5 s");
        assert_eq!(
            of(Cause::Composite { holding: 0b101, of: 3 }, true, 5_000),
            "conditions 1, 3 of 3 hold for 5 s"
        );
        assert_eq!(of(Cause::Composite { holding: 0, of: 2 }, false, 0), "none of 2 conditions holds");
        assert_eq!(of(Cause::NoData { silent_ms: 300_000 }, true, 0), "no data for 300 s");
    }

    #[test]
    fn numbers_are_short() {
        for (value, expected) in
            [(0.0, "0"), (80.0, "80"), (0.12345, "0.123"), (1e-9, "1e-9"), (1e20, "1e20")]
        {
            assert_eq!(number(value), expected);
        }
    }
}
