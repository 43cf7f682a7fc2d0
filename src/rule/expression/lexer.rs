//! The words of an expression, each with its place. Pure.

use std::fmt;

use winnow::ascii::{digit0, digit1, multispace0};
use winnow::combinator::{alt, delimited, not, opt, preceded, repeat, terminated};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{any, none_of, one_of, take_while};

use super::ExpressionError;

type Source<'a> = LocatingSlice<&'a str>;

/// A word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    Number(f64),
    /// `1h30m`, in milliseconds.
    Duration(u64),
    /// What stood in quotation marks.
    Text(String),
    Name(&'a str),
    Sign(&'a str),
    End,
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Duration(ms) => write!(f, "{}", super::text::duration(*ms)),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Name(name) => f.write_str(name),
            Self::Sign(sign) => write!(f, "{sign:?}"),
            Self::End => f.write_str("the end"),
        }
    }
}

/// The words with where each begins, in bytes; the last one is the end.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token<'_>, usize)>, ExpressionError> {
    let words = repeat(0.., terminated(token.with_span(), multispace0));
    let parsed = preceded(multispace0, words)
        .map(|words: Vec<(Token<'_>, std::ops::Range<usize>)>| words)
        .parse(LocatingSlice::new(text));
    let words = parsed.map_err(|error| {
        let at = error.offset();
        let found = text.get(at..).and_then(|rest| rest.chars().next());
        ExpressionError {
            at: character(text, at),
            expected: "a number, a name, a text in quotation marks or one of ()[]{},+-*/<>=!".to_owned(),
            found: found.map_or_else(|| "the end".to_owned(), |char| format!("{char:?}")),
        }
    })?;
    let end = (Token::End, text.len());
    Ok(words.into_iter().map(|(word, span)| (word, span.start)).chain([end]).collect())
}

/// The number of the character at a byte, from 1 on.
pub(super) fn character(text: &str, byte: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < byte).count() + 1
}

fn token<'a>(input: &mut Source<'a>) -> winnow::Result<Token<'a>> {
    alt((
        duration.map(Token::Duration),
        number.map(Token::Number),
        name.map(Token::Name),
        quoted.map(Token::Text),
        sign.map(Token::Sign),
    ))
    .parse_next(input)
}

fn is_inner(char: char) -> bool {
    char.is_ascii_alphanumeric() || "_:.".contains(char)
}

fn name<'a>(input: &mut Source<'a>) -> winnow::Result<&'a str> {
    let first = one_of(|char: char| char.is_ascii_alphabetic() || "_:".contains(char));
    (first, take_while(0.., is_inner)).take().parse_next(input)
}

fn number(input: &mut Source<'_>) -> winnow::Result<f64> {
    let whole = (digit1, opt(('.', digit0))).void();
    let part = ('.', digit1).void();
    let exponent = (one_of(['e', 'E']), opt(one_of(['+', '-'])), digit1);
    let digits = (alt((whole, part)), opt(exponent)).take();
    terminated(digits.parse_to::<f64>(), not(one_of(is_inner)))
        .verify(|number| number.is_finite())
        .parse_next(input)
}

fn duration(input: &mut Source<'_>) -> winnow::Result<u64> {
    let unit = alt((
        "ms".value(1_u64),
        "s".value(1_000),
        "m".value(60_000),
        "h".value(3_600_000),
        "d".value(86_400_000),
        "w".value(604_800_000),
    ));
    let part = (digit1.parse_to::<u64>(), unit).verify_map(|(count, unit)| count.checked_mul(unit));
    let sum = repeat(1.., part).fold(|| Some(0_u64), |sum: Option<u64>, part| sum?.checked_add(part));
    terminated(sum, not(one_of(is_inner))).verify_map(|sum| sum).parse_next(input)
}

/// In `"` or `'`, where `\"`, `\'`, `\\` and `\n` stand for themselves, or as it is in backticks.
fn quoted(input: &mut Source<'_>) -> winnow::Result<String> {
    let inside = |quote: char| {
        let escaped = ('\\', any).take().map(|pair: &str| match pair {
            "\\n" => "\n",
            "\\\"" => "\"",
            "\\'" => "'",
            "\\\\" => "\\",
            // The escapes of an expression: `\d` is what it was.
            other => other,
        });
        let plain = take_while(1.., move |char| char != quote && char != '\\');
        delimited(quote, repeat(0.., alt((plain, escaped))).map(|parts: Vec<&str>| parts.concat()), quote)
    };
    let raw = delimited('`', repeat::<_, _, (), _, _>(0.., none_of('`')).take(), '`');
    alt((inside('"'), inside('\''), raw.map(str::to_owned))).parse_next(input)
}

fn sign<'a>(input: &mut Source<'a>) -> winnow::Result<&'a str> {
    let two = alt(("==", "!=", ">=", "<=", "=~", "!~"));
    alt((two, one_of(['(', ')', '[', ']', '{', '}', ',', '+', '-', '*', '/', '<', '>', '=']).take()))
        .parse_next(input)
}
