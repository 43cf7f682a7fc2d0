//! Which extension a client offers and what answers it: permessage-deflate of RFC 7692, or none.
//!
//! Neither side keeps its window between messages, so no connection holds a zlib state and one
//! compressed frame serves all. An offer that asks for what is not done here is declined; the next
//! one of the same client may fit.

use std::borrow::Cow;

use super::deflate::WINDOW_BITS;

const NAME: &str = "permessage-deflate";
const ANSWER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
/// The window sizes that the RFC knows.
const WINDOW_BITS_RANGE: std::ops::RangeInclusive<u8> = 8..=15;

/// permessage-deflate as it is agreed with one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeflateAgreed {
    /// The client asked for a bound of the hub's window, which then has to be confirmed.
    confirms_window: bool,
}

impl DeflateAgreed {
    /// The first acceptable offer in the lines of `Sec-WebSocket-Extensions`.
    pub(super) fn choose<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        lines.into_iter().flat_map(|line| split(line, b',')).find_map(Self::accept)
    }

    /// The value of `Sec-WebSocket-Extensions` that confirms it.
    #[must_use]
    pub fn answer(self) -> Cow<'static, str> {
        if self.confirms_window {
            return format!("{ANSWER}; server_max_window_bits={WINDOW_BITS}").into();
        }
        ANSWER.into()
    }

    /// Judges one offer; `None` declines it.
    fn accept(offer: &str) -> Option<Self> {
        let mut parts = split(offer, b';');
        if parts.next()? != NAME {
            return None;
        }
        let mut seen: Vec<&str> = Vec::new();
        let mut confirms_window = false;
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(unquote(value.trim_start())?)),
                None => (part, None),
            };
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
            match (name, value) {
                ("server_no_context_takeover" | "client_no_context_takeover", None) => {}
                // Says that the client can bound its own window; ours takes any.
                ("client_max_window_bits", None) => {}
                ("client_max_window_bits", Some(value)) => {
                    window_bits(&value)?;
                }
                ("server_max_window_bits", Some(value)) => {
                    if window_bits(&value)? < WINDOW_BITS {
                        return None;
                    }
                    confirms_window = true;
                }
                _ => return None,
            }
        }
        Some(Self { confirms_window })
    }
}

fn window_bits(value: &str) -> Option<u8> {
    let plain = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    value.parse().ok().filter(|bits| plain && WINDOW_BITS_RANGE.contains(bits))
}

/// The value of a parameter: a token, or one in quotes.
fn unquote(value: &str) -> Option<Cow<'_, str>> {
    let Some(rest) = value.strip_prefix('"') else { return Some(value.into()) };
    let (mut text, mut characters) = (String::new(), rest.chars());
    loop {
        match characters.next()? {
            '"' if characters.as_str().is_empty() => return Some(text.into()),
            '"' => return None,
            '\\' => text.push(characters.next()?),
            character => text.push(character),
        }
    }
}

/// The non-empty parts of a list, trimmed; a separator in quotes separates nothing.
fn split(list: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut in_quotes, mut escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            in_quotes ^= byte == b'"' && !escaped;
            escaped = in_quotes && !escaped && byte == b'\\';
            byte == separator && !in_quotes
        });
        let (part, after) = match end {
            Some(end) => (&text[..end], Some(&text[end + 1..])),
            None => (text, None),
        };
        rest = after;
        Some(part.trim())
    })
    .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn offers_are_judged_as_the_rfc_says() {
        let plain = Some(ANSWER);
        let bound = format!("{ANSWER}; server_max_window_bits={WINDOW_BITS}");
        let bound = Some(&*bound);
        let table: &[(&[&str], Option<&str>)] = &[
            (&[], None),
            (&[""], None),
            (&["permessage-deflate"], plain),
            (&["permessage-deflate; client_max_window_bits"], plain),
            (&["permessage-deflate;client_max_window_bits=8"], plain),
            (&["permessage-deflate; client_max_window_bits=15"], plain),
            (&["permessage-deflate; client_max_window_bits=\"10\""], plain),
            (&["permessage-deflate; client_max_window_bits=\"1\\5\""], plain),
            (&["permessage-deflate; server_no_context_takeover; client_no_context_takeover"], plain),
            (&["permessage-deflate; server_max_window_bits=15"], bound),
            (&["permessage-deflate; server_max_window_bits = \"15\"; client_max_window_bits=12"], bound),
            // A window below the hub's: declined, and the next offer is looked at.
            (&["permessage-deflate; server_max_window_bits=14"], None),
            (&["permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"], None),
            (&["permessage-deflate; server_max_window_bits=9, permessage-deflate"], plain),
            (&["permessage-deflate; server_max_window_bits=9", "permessage-deflate"], plain),
            (&["x-webkit-deflate-frame, permessage-deflate; client_max_window_bits"], plain),
            (&["permessage-bzip2; a=\"x, permessage-deflate; y\""], None),
            // Names and values that the RFC does not know.
            (&["permessage-deflate; window=1"], None),
            (&["permessage-deflate; server_max_window_bits"], None),
            (&["permessage-deflate; server_max_window_bits=7"], None),
            (&["permessage-deflate; server_max_window_bits=16"], None),
            (&["permessage-deflate; server_max_window_bits=015"], None),
            (&["permessage-deflate; server_max_window_bits=+15"], None),
            (&["permessage-deflate; server_max_window_bits="], None),
            (&["permessage-deflate; server_max_window_bits=\"15"], None),
            (&["permessage-deflate; server_max_window_bits=\"15\"x"], None),
            (&["permessage-deflate; client_max_window_bits=16"], None),
            (&["permessage-deflate; client_max_window_bits=ten"], None),
            (&["permessage-deflate; server_no_context_takeover=1"], None),
            (&["permessage-deflate; client_no_context_takeover=\"\""], None),
            (&["permessage-deflate; client_no_context_takeover; client_no_context_takeover"], None),
            (&["permessage-deflate; server_max_window_bits=15; server_max_window_bits=15"], None),
            (&["permessage-deflated"], None),
        ];
        for (lines, expected) in table {
            let agreed = DeflateAgreed::choose(lines.iter().copied());
            assert_eq!(agreed.map(DeflateAgreed::answer).as_deref(), *expected, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_an_answer_or_none(line in "(permessage-deflate|[ ,;=\"\\\\a-z0-9_]){0,8}") {
            let agreed = DeflateAgreed::choose([&*line]);
            prop_assert!(agreed.is_none() || line.contains(NAME));
        }
    }
}
