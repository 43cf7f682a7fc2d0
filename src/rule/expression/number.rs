//! What an expression says, given what is known of its inputs. Pure.

use super::{Expression, Operation};
use crate::rule::reason::Comparison;

impl<I> Expression<I> {
    /// The number that it is. `None`: nobody knows it, it is not finite, or it is a truth.
    pub fn number(&self, of: &impl Fn(&I) -> Option<f64>) -> Option<f64> {
        let number = match self {
            Self::Number(number) => Some(*number),
            Self::Input(input) => of(input),
            Self::Negative(one) => one.number(of).map(|number| -number),
            Self::Arithmetic(operation, one, other) => {
                let (one, other) = (one.number(of)?, other.number(of)?);
                Some(match operation {
                    Operation::Plus => one + other,
                    Operation::Minus => one - other,
                    Operation::Times => one * other,
                    Operation::By => one / other,
                })
            }
            Self::Comparison(..) | Self::And(..) | Self::Or(..) | Self::Not(_) => None,
        };
        number.filter(|number| number.is_finite())
    }

    /// Whether it holds. Three-valued: what nobody knows decides only where it could change nothing.
    pub fn truth(&self, of: &impl Fn(&I) -> Option<f64>) -> Option<bool> {
        match self {
            Self::Comparison(comparison, one, other) => {
                Some(comparison.holds(one.number(of)?, other.number(of)?))
            }
            Self::Not(one) => one.truth(of).map(|truth| !truth),
            Self::And(one, other) => match (one.truth(of), other.truth(of)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (one, other) => one.zip(other).map(|_both| true),
            },
            Self::Or(one, other) => match (one.truth(of), other.truth(of)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (one, other) => one.zip(other).map(|_both| false),
            },
            Self::Number(_) | Self::Input(_) | Self::Negative(_) | Self::Arithmetic(..) => None,
        }
    }
}

impl<I> Expression<I> {
    /// The number that a truth is about: of the first comparison that holds, if any should, the side that is not constant.
    pub fn looked_at(&self, of: &impl Fn(&I) -> Option<f64>, holds: bool) -> Option<f64> {
        let comparisons = self.comparisons();
        let known = |only_holding: bool| {
            comparisons.iter().find_map(|(comparison, one, other)| {
                let (left, right) = (one.number(of)?, other.number(of)?);
                let is_meant = !only_holding || comparison.holds(left, right);
                is_meant.then_some(if one.is_constant() { right } else { left })
            })
        };
        known(holds).or_else(|| known(false))
    }

    /// How its number is compared, where it is one comparison with a constant.
    pub fn direction(&self) -> Option<Comparison> {
        let Self::Comparison(comparison, one, other) = self else { return None };
        match (one.is_constant(), other.is_constant()) {
            (false, true) => Some(*comparison),
            (true, false) => Some(comparison.turned()),
            _ => None,
        }
    }
}
