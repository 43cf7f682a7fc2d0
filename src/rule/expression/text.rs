//! Expressions as they are written: what is printed is read again as the same. Pure.

use std::fmt;

use super::{Call, Expression, Function, Input, Operation};
use crate::alert::{Matcher, Operator};

/// How tightly parts hold together, loosest first.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;
const NEGATIVE: u8 = 7;
const ATOM: u8 = 8;

impl Operation {
    /// The sign.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::By => "/",
        }
    }

    fn binding(self) -> u8 {
        match self {
            Self::Plus | Self::Minus => SUM,
            Self::Times | Self::By => PRODUCT,
        }
    }
}

impl<I> Expression<I> {
    fn binding(&self) -> u8 {
        match self {
            Self::Or(..) => OR,
            Self::And(..) => AND,
            Self::Not(_) => NOT,
            Self::Comparison(..) => COMPARISON,
            Self::Arithmetic(operation, ..) => operation.binding(),
            Self::Negative(_) => NEGATIVE,
            Self::Number(_) | Self::Input(_) => ATOM,
        }
    }

    /// The text, with inputs as they are named.
    pub fn text(&self, name: &impl Fn(&I) -> String) -> String {
        // In parentheses where it would fall apart otherwise.
        let part = |part: &Self, least: u8| {
            let text = part.text(name);
            if part.binding() < least { format!("({text})") } else { text }
        };
        let own = self.binding();
        match self {
            Self::Number(value) => number(*value),
            Self::Input(input) => name(input),
            Self::Negative(one) => format!("-{}", part(one, own)),
            Self::Not(one) => format!("not {}", part(one, own)),
            Self::Arithmetic(operation, one, other) => {
                format!("{} {} {}", part(one, own), operation.sign(), part(other, own + 1))
            }
            Self::Comparison(comparison, one, other) => {
                format!("{} {} {}", part(one, own + 1), comparison.sign(), part(other, own + 1))
            }
            Self::And(one, other) => format!("{} and {}", part(one, own), part(other, own + 1)),
            Self::Or(one, other) => format!("{} or {}", part(one, own), part(other, own + 1)),
        }
    }
}

impl fmt::Display for Expression<Input> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(&|input| input_text(&input.metric, &input.matchers, input.call)))
    }
}

/// `avg(cpu_percent{env="prod"}, 5m)`
pub(in super::super) fn input_text(metric: &str, matchers: &[Matcher], call: Option<Call>) -> String {
    let mut inside: Vec<String> = matchers.iter().map(matcher).collect();
    let is_plain =
        is_name(metric) && !["and", "or", "not"].iter().any(|word| word.eq_ignore_ascii_case(metric));
    let series = match (is_plain, inside.as_slice()) {
        (true, []) => metric.to_owned(),
        (true, all) => format!("{metric}{{{}}}", all.join(", ")),
        (false, _) => {
            inside.insert(0, format!("__name__={}", quoted(metric)));
            format!("{{{}}}", inside.join(", "))
        }
    };
    let Some(Call { function, window_ms }) = call else { return series };
    let (name, window) = (function.name(), duration(window_ms));
    match function {
        Function::Quantile(part) if super::call::percent(part).is_none() => {
            format!("{name}({}, {series}, {window})", number(part))
        }
        Function::PredictLinear(ahead_ms) => format!("{name}({series}, {window}, {})", duration(ahead_ms)),
        _ => format!("{name}({series}, {window})"),
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || "_:".contains(first))
        && text.chars().all(|char| char.is_ascii_alphanumeric() || "_:.".contains(char))
}

fn matcher(matcher: &Matcher) -> String {
    let name = if is_name(matcher.name()) { matcher.name().to_owned() } else { quoted(matcher.name()) };
    let operator: Operator = matcher.operator();
    format!("{name}{}{}", operator.as_str(), quoted(matcher.value()))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Every digit of it.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 || (1e-5..1e15).contains(&value.abs()) {
        format!("{value}")
    } else {
        format!("{value:e}")
    }
}

/// `90s`, `5m`, `1h`: in the greatest unit of which it is a whole number.
pub(super) fn duration(ms: u64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let fitting = units.iter().find(|(_, unit)| ms > 0 && ms.is_multiple_of(*unit));
    fitting.map_or_else(|| format!("{ms}ms"), |(name, unit)| format!("{}{name}", ms / unit))
}
