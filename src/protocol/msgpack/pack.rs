//! From JSON to MessagePack, for every text that is JSON.
//!
//! What clients publish is passed on as it was written, and JSON can say what parsers refuse: numbers
//! beyond all bounds, half a surrogate pair, ten thousand brackets. Subscribers of a topic see the same
//! messages in every encoding, so nothing may fail here: hence a scan of its own, of text that was
//! checked when it came in.

use bytes::Bytes;
use rmp::encode;

use crate::websocket::{FrameWriter, Opcode};

/// The binary frame of a JSON text. Integers of 64 bits stay what they are; any other number becomes a
/// double, beyond its range an infinity. Half a surrogate pair becomes U+FFFD.
pub fn frame_of_json(json: &[u8]) -> Bytes {
    // MessagePack says in front how many values a container has; JSON shows it at the end.
    let lengths = container_lengths(json);
    let mut packer = Packer(FrameWriter::with_capacity(json.len()));
    let mut lengths = lengths.into_iter();
    for token in Tokens(json) {
        packer.token(token, &mut lengths);
    }
    packer.0.finish(Opcode::Binary)
}

#[derive(Clone, Copy)]
enum Token<'a> {
    Object,
    Array,
    End,
    /// What stands between the quotes.
    Text(&'a [u8]),
    Number(&'a [u8]),
    True,
    False,
    Null,
}

/// The tokens of a JSON text, commas and colons left out.
struct Tokens<'a>(&'a [u8]);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let (first, rest) = self.0.split_first()?;
            let (token, taken) = match first {
                b'{' => (Token::Object, 0),
                b'[' => (Token::Array, 0),
                b'}' | b']' => (Token::End, 0),
                b'"' => {
                    let end = end_of_text(rest);
                    (Token::Text(&rest[..end]), (end + 1).min(rest.len()))
                }
                b't' => (Token::True, rest.len().min(3)),
                b'f' => (Token::False, rest.len().min(4)),
                b'n' => (Token::Null, rest.len().min(3)),
                b'-' | b'0'..=b'9' => {
                    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                    let more = rest.iter().take_while(|byte| is_digit(byte)).count();
                    (Token::Number(&self.0[..=more]), more)
                }
                _ => {
                    self.0 = rest;
                    continue;
                }
            };
            self.0 = &rest[taken..];
            return Some(token);
        }
    }
}

/// Where the closing quote stands.
fn end_of_text(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match text[at..].iter().position(|byte| matches!(byte, b'"' | b'\\')) {
            Some(offset) if text[at + offset] == b'"' => return at + offset,
            // The byte behind a backslash belongs to it.
            Some(offset) if at + offset + 2 <= text.len() => at += offset + 2,
            _ => return text.len(),
        }
    }
}

/// How many values each object (keys count too) and array holds, in the order in which they open.
fn container_lengths(json: &[u8]) -> Vec<u32> {
    let mut lengths: Vec<u32> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for token in Tokens(json) {
        if matches!(token, Token::End) {
            open.pop();
            continue;
        }
        if let Some(length) = open.last().and_then(|inside| lengths.get_mut(*inside)) {
            *length += 1;
        }
        if matches!(token, Token::Object | Token::Array) {
            open.push(lengths.len());
            lengths.push(0);
        }
    }
    lengths
}

/// A frame in the making. Writing into memory does not fail, so what the encoder returns is dropped.
struct Packer(FrameWriter);

impl Packer {
    fn token(&mut self, token: Token<'_>, lengths: &mut impl Iterator<Item = u32>) {
        let mut length = || lengths.next().unwrap_or_default();
        match token {
            Token::Object => drop(encode::write_map_len(&mut self.0, length() / 2)),
            Token::Array => drop(encode::write_array_len(&mut self.0, length())),
            Token::End => {}
            Token::Text(escaped) => self.text(escaped),
            Token::Number(digits) => self.number(digits),
            Token::True => drop(encode::write_bool(&mut self.0, true)),
            Token::False => drop(encode::write_bool(&mut self.0, false)),
            Token::Null => drop(encode::write_nil(&mut self.0)),
        }
    }

    fn text(&mut self, escaped: &[u8]) {
        let mut text = String::from_utf8_lossy(escaped);
        if text.contains('\\') {
            text = unescape(&text).into();
        }
        drop(encode::write_str(&mut self.0, &text));
    }

    fn number(&mut self, digits: &[u8]) {
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        if let Ok(unsigned) = digits.parse() {
            drop(encode::write_uint(&mut self.0, unsigned));
        } else if let Ok(signed) = digits.parse() {
            drop(encode::write_sint(&mut self.0, signed));
        } else {
            drop(encode::write_f64(&mut self.0, digits.parse().unwrap_or_default()));
        }
    }
}

fn unescape(escaped: &str) -> String {
    let mut text = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let mut characters = after.chars();
        let plain = match characters.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('u') => {
                let (character, taken) = unicode(after);
                text.push(character);
                rest = after.get(taken..).unwrap_or_default();
                continue;
            }
            Some(character) => character,
            None => break,
        };
        text.push(plain);
        rest = characters.as_str();
    }
    text.push_str(rest);
    text
}

/// The character that `uXXXX`, or two of them with a backslash between, stand for; and their length.
fn unicode(after: &str) -> (char, usize) {
    let unit = |at: usize| u16::from_str_radix(after.get(at..at + 4)?, 16).ok();
    let Some(first) = unit(1) else { return (char::REPLACEMENT_CHARACTER, 5) };
    let second = after.get(5..7).filter(|text| *text == "\\u").and_then(|_| unit(7));
    let pair = [first, second.unwrap_or_default()];
    match char::decode_utf16(pair).next() {
        Some(Ok(character)) => (character, character.len_utf16() * 6 - 1),
        _ => (char::REPLACEMENT_CHARACTER, 5),
    }
}
