//! Reads expressions, and checks their types on the way. Pure.
//!
//! Loosest first: `or`, `and`, `not`, one comparison, `+ -`, `* /`, the sign of a number. Words are of any case.

use super::call::NAMES;
use super::lexer::{Token, character, tokens};
use super::{BYTES_MAX, Call, DEPTH_MAX, Expression, ExpressionError, Function, Input, Operation};
use crate::alert::{Matcher, Operator};
use crate::ids::MetricName;
use crate::rule::reason::Comparison;

/// Windows are a second to a day long.
const WINDOW_SECONDS: std::ops::RangeInclusive<f64> = 1.0..=86_400.0;
/// Furthest that is looked ahead: thirty days.
const AHEAD_SECONDS: std::ops::RangeInclusive<f64> = 0.0..=2_592_000.0;
/// Most matchers of a series.
const MATCHERS_MAX: usize = 16;

const NUMBER: &str = "a number, a series or a function";
const COMPARISON: &str = "a comparison, such as cpu_percent > 80";

type Tree = Expression<Input>;
type Outcome<T> = Result<T, ExpressionError>;

/// A part, its type, and where it begins.
struct Part {
    tree: Tree,
    is_truth: bool,
    begin: usize,
}

struct Reader<'a> {
    text: &'a str,
    tokens: Vec<(Token<'a>, usize)>,
    next: usize,
    depth: usize,
}

pub(super) fn parse(text: &str) -> Outcome<Tree> {
    if text.len() > BYTES_MAX {
        return Err(ExpressionError {
            at: character(text, BYTES_MAX),
            expected: format!("at most {BYTES_MAX} bytes"),
            found: format!("{} bytes", text.len()),
        });
    }
    let mut reader = Reader { text, tokens: tokens(text)?, next: 0, depth: 0 };
    let whole = reader.any()?;
    if *reader.peek() != Token::End {
        let is_grouped = ["by", "without", "on", "ignoring"].iter().any(|word| reader.takes_word(word));
        reader.next -= usize::from(is_grouped);
        let also =
            if is_grouped { " (series are not aggregated, and joined by all their labels)" } else { "" };
        return Err(reader.wanted(&format!("and, or, an operator or the end{also}")));
    }
    let whole = reader.truth(whole)?;
    if whole.tree.is_constant() {
        return Err(reader.error(whole.begin, "a series in at least one place", "numbers alone".to_owned()));
    }
    Ok(whole.tree)
}

impl<'a> Reader<'a> {
    fn peek(&self) -> &Token<'a> {
        self.tokens.get(self.next).map_or(&Token::End, |(token, _)| token)
    }

    /// Where the next word begins.
    fn begin(&self) -> usize {
        self.tokens.get(self.next).map_or(self.text.len(), |(_, begin)| *begin)
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_it = matches!(self.peek(), Token::Sign(own) if *own == sign);
        self.next += usize::from(is_it);
        is_it
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_it = matches!(self.peek(), Token::Name(own) if own.eq_ignore_ascii_case(word));
        self.next += usize::from(is_it);
        is_it
    }

    fn must(&mut self, sign: &str, expected: &str) -> Outcome<()> {
        if self.takes(sign) { Ok(()) } else { Err(self.wanted(expected)) }
    }

    fn error(&self, byte: usize, expected: &str, found: String) -> ExpressionError {
        ExpressionError { at: character(self.text, byte), expected: expected.to_owned(), found }
    }

    /// Something else should be next.
    fn wanted(&self, expected: &str) -> ExpressionError {
        self.error(self.begin(), expected, self.peek().to_string())
    }

    fn truth(&self, part: Part) -> Outcome<Part> {
        if part.is_truth { Ok(part) } else { Err(self.error(part.begin, COMPARISON, "a number".to_owned())) }
    }

    fn number(&self, part: Part) -> Outcome<Part> {
        if part.is_truth {
            return Err(self.error(part.begin, NUMBER, "a comparison".to_owned()));
        }
        Ok(part)
    }

    /// What `read` reads, one deeper.
    fn deeper(&mut self, read: impl FnOnce(&mut Self) -> Outcome<Part>) -> Outcome<Part> {
        if self.depth >= DEPTH_MAX {
            let expected = format!("at most {DEPTH_MAX} parentheses, not and - within each other");
            return Err(self.wanted(&expected));
        }
        self.depth += 1;
        let part = read(self);
        self.depth -= 1;
        part
    }

    fn any(&mut self) -> Outcome<Part> {
        self.joined("or", Self::all, Tree::Or)
    }

    fn all(&mut self) -> Outcome<Part> {
        self.joined("and", Self::negated, Tree::And)
    }

    fn joined(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Outcome<Part>,
        join: fn(Box<Tree>, Box<Tree>) -> Tree,
    ) -> Outcome<Part> {
        let mut whole = part(self)?;
        while self.takes_word(word) {
            whole = self.truth(whole)?;
            let other = part(self)?;
            let other = self.truth(other)?;
            whole.tree = join(Box::new(whole.tree), Box::new(other.tree));
        }
        Ok(whole)
    }

    fn negated(&mut self) -> Outcome<Part> {
        let begin = self.begin();
        if !self.takes_word("not") {
            return self.compared();
        }
        let one = self.deeper(Self::negated)?;
        let one = self.truth(one)?;
        Ok(Part { tree: Tree::Not(Box::new(one.tree)), is_truth: true, begin })
    }

    fn compared(&mut self) -> Outcome<Part> {
        let one = self.sum()?;
        let Token::Sign(sign) = self.peek() else { return Ok(one) };
        let Some(comparison) = Comparison::parse(sign) else { return Ok(one) };
        self.next += 1;
        let one = self.number(one)?;
        let other = self.sum()?;
        let other = self.number(other)?;
        let tree = Tree::Comparison(comparison, Box::new(one.tree), Box::new(other.tree));
        if matches!(self.peek(), Token::Sign(sign) if Comparison::parse(sign).is_some()) {
            return Err(self.wanted("and, or or the end: a comparison is no number"));
        }
        Ok(Part { tree, is_truth: true, begin: one.begin })
    }

    fn sum(&mut self) -> Outcome<Part> {
        self.calculated(&[("+", Operation::Plus), ("-", Operation::Minus)], Self::product)
    }

    fn product(&mut self) -> Outcome<Part> {
        self.calculated(&[("*", Operation::Times), ("/", Operation::By)], Self::signed)
    }

    fn calculated(
        &mut self,
        operations: &[(&str, Operation)],
        part: fn(&mut Self) -> Outcome<Part>,
    ) -> Outcome<Part> {
        let mut whole = part(self)?;
        while let Some((_, operation)) = operations.iter().find(|(sign, _)| self.takes(sign)) {
            whole = self.number(whole)?;
            let other = part(self)?;
            let other = self.number(other)?;
            whole.tree = Tree::Arithmetic(*operation, Box::new(whole.tree), Box::new(other.tree));
        }
        Ok(whole)
    }

    fn signed(&mut self) -> Outcome<Part> {
        let begin = self.begin();
        if !self.takes("-") {
            return self.atom();
        }
        let one = self.deeper(Self::signed)?;
        let one = self.number(one)?;
        Ok(Part { tree: Tree::Negative(Box::new(one.tree)), is_truth: false, begin })
    }

    fn atom(&mut self) -> Outcome<Part> {
        let begin = self.begin();
        if self.takes("(") {
            let inside = self.deeper(Self::any)?;
            self.must(")", "a closing parenthesis")?;
            return Ok(Part { begin, ..inside });
        }
        let is_call = matches!(self.tokens.get(self.next + 1), Some((Token::Sign("("), _)));
        let tree = match *self.peek() {
            Token::Number(number) => {
                self.next += 1;
                Tree::Number(number)
            }
            Token::Name(name) if is_call => Tree::Input(self.call(name)?),
            Token::Name(_) | Token::Sign("{") => {
                let (metric, matchers) = self.series()?;
                if matches!(self.peek(), Token::Sign("[")) {
                    return Err(
                        self.wanted("a function around a series with a window, such as avg_over_time")
                    );
                }
                Tree::Input(Input { metric, matchers, call: None })
            }
            _ => return Err(self.wanted(NUMBER)),
        };
        Ok(Part { tree, is_truth: false, begin })
    }

    fn call(&mut self, name: &str) -> Outcome<Input> {
        let Some(mut function) = Function::named(name) else {
            let known: Vec<&str> = NAMES.iter().map(|(name, ..)| *name).chain(["p1 to p99"]).collect();
            return Err(self.wanted(&format!("one of the functions {}", known.join(", "))));
        };
        self.next += 2;
        if let Function::Quantile(part) = &mut function
            && *part == 0.0
        {
            *part = self.constant(0.0..=1.0, "a part from 0 to 1")?;
            self.must(",", "a comma and a series")?;
        }
        let (metric, matchers) = self.series()?;
        let window_ms = if self.takes("[") {
            let window_ms = self.milliseconds(WINDOW_SECONDS)?;
            self.must("]", "a closing bracket")?;
            window_ms
        } else {
            self.must(",", "a comma and a window: avg(cpu_percent, 5m). Series are not aggregated")?;
            self.milliseconds(WINDOW_SECONDS)?
        };
        if let Function::PredictLinear(ahead_ms) = &mut function {
            *ahead_ms = if self.takes(",") { self.milliseconds(AHEAD_SECONDS)? } else { window_ms };
        }
        self.must(")", "a closing parenthesis")?;
        Ok(Input { metric, matchers, call: Some(Call { function, window_ms }) })
    }

    fn milliseconds(&mut self, allowed: std::ops::RangeInclusive<f64>) -> Outcome<u64> {
        let expected = format!("{} to {} seconds, or a duration such as 5m", allowed.start(), allowed.end());
        let seconds = self.constant(allowed, &expected)?;
        // Within thirty days: no digit is lost.
        Ok((seconds * 1_000.0).round() as u64)
    }

    /// A number or a duration in seconds, within bounds.
    fn constant(&mut self, allowed: std::ops::RangeInclusive<f64>, expected: &str) -> Outcome<f64> {
        let begin = self.begin();
        let value = if let Token::Duration(ms) = *self.peek() {
            self.next += 1;
            Some(ms as f64 / 1_000.0)
        } else {
            let sum = self.deeper(Self::sum)?;
            self.number(sum)?.tree.number(&|_input| None)
        };
        let found = value.map_or_else(|| "no number".to_owned(), super::text::number);
        value.filter(|value| allowed.contains(value)).ok_or_else(|| self.error(begin, expected, found))
    }

    /// A metric and its matchers.
    fn series(&mut self) -> Outcome<(String, Vec<Matcher>)> {
        let begin = self.begin();
        let mut metric = match *self.peek() {
            Token::Name(word) if ["and", "or", "not"].iter().any(|own| own.eq_ignore_ascii_case(word)) => {
                return Err(self.wanted("a series"));
            }
            Token::Name(name) => {
                self.next += 1;
                Some(name.to_owned())
            }
            Token::Sign("{") => None,
            _ => return Err(self.wanted("a series")),
        };
        let mut matchers = Vec::new();
        if self.takes("{") {
            while !self.takes("}") {
                let at = self.begin();
                let (name, operator, value) = self.matcher()?;
                if name == "__name__" && operator == Operator::Is && metric.is_none() {
                    metric = Some(value);
                } else if matchers.len() == MATCHERS_MAX {
                    return Err(self.error(
                        at,
                        &format!("at most {MATCHERS_MAX} matchers"),
                        "more".to_owned(),
                    ));
                } else {
                    let matcher = Matcher::new(&name, operator, &value)
                        .map_err(|error| self.error(at, "a matcher", error.to_string()))?;
                    matchers.push(matcher);
                }
                if !self.takes(",") && !matches!(self.peek(), Token::Sign("}")) {
                    return Err(self.wanted("a comma or a closing brace"));
                }
            }
        }
        let metric =
            metric.ok_or_else(|| self.error(begin, "the name of a metric", "matchers alone".to_owned()))?;
        match MetricName::parse(&metric) {
            Ok(_) => Ok((metric, matchers)),
            Err(error) => Err(self.error(begin, "the name of a metric", error.to_string())),
        }
    }

    fn matcher(&mut self) -> Outcome<(String, Operator, String)> {
        let name = match self.peek().clone() {
            Token::Name(name) => name.to_owned(),
            Token::Text(name) => name,
            _ => return Err(self.wanted("the name of a label")),
        };
        self.next += 1;
        let operators = [Operator::Is, Operator::IsNot, Operator::Matches, Operator::MatchesNot];
        let Some(operator) = operators.into_iter().find(|operator| self.takes(operator.as_str())) else {
            return Err(self.wanted("one of = != =~ !~"));
        };
        match self.take() {
            Token::Text(value) => Ok((name, operator, value)),
            _ => {
                self.next -= 1;
                Err(self.wanted("a value in quotation marks"))
            }
        }
    }
}
