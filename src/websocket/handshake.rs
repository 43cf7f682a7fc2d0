//! The upgrade request: is it one, which sub-protocol and extension, and what answers it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use super::DeflateAgreed;

const BEARER_PREFIX: &str = "bearer.";
const VERSION: &str = "13";
const KEY_BYTES: usize = 16;
const ACCEPT_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why a request is not a WebSocket upgrade the hub speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Only GET upgrades.
    #[error("a WebSocket is opened with GET")]
    Method,
    /// `Host` is missing.
    #[error("header Host is missing")]
    Host,
    /// `Upgrade` does not name `websocket`.
    #[error("header Upgrade does not name websocket")]
    Upgrade,
    /// `Connection` does not name `Upgrade`.
    #[error("header Connection does not name Upgrade")]
    Connection,
    /// `Sec-WebSocket-Version` is not 13.
    #[error("header Sec-WebSocket-Version is not 13")]
    Version,
    /// `Sec-WebSocket-Key` is not the base64 form of 16 bytes, or not there exactly once.
    #[error("header Sec-WebSocket-Key is not the base64 form of 16 bytes")]
    Key,
    /// Sub-protocols were asked for, and none of them is spoken here.
    #[error("none of the sub-protocols asked for is spoken here; there is {}", spoken.join(" and "))]
    SubProtocol {
        /// Those that are.
        spoken: &'static [&'static str],
    },
}

impl HandshakeError {
    /// The HTTP status that answers this error: 405, 426 or 400. With 426 belong the headers
    /// `Upgrade: websocket` and `Sec-WebSocket-Version: 13`, with 405 `Allow: GET`.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Upgrade | Self::Version => 426,
            Self::Host | Self::Connection | Self::Key | Self::SubProtocol { .. } => 400,
        }
    }
}

/// A request that may be upgraded as far as the protocol goes. Who may connect is decided elsewhere,
/// with [`Handshake::bearer`] as one of the places a token comes from.
#[derive(Clone, PartialEq, Eq)]
pub struct Handshake<'a> {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: String,
    /// The sub-protocol to confirm, the first of those asked for; `None` when the client asked for none.
    pub sub_protocol: Option<&'static str>,
    /// The token of the first `bearer.` entry; such an entry is never confirmed.
    pub bearer: Option<&'a str>,
    /// permessage-deflate, when it was offered so that it can be done here; `None` declines it.
    pub deflate: Option<DeflateAgreed>,
}

impl fmt::Debug for Handshake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("sub_protocol", &self.sub_protocol)
            .field("deflate", &self.deflate)
            .field("bearer", &self.bearer.map(|_token| "redacted"))
            .finish_non_exhaustive()
    }
}

impl<'a> Handshake<'a> {
    /// Judges a request; `spoken` are the sub-protocols to choose from. `header` returns all values of the header of that name, written in small
    /// letters here and matched in any case.
    ///
    /// # Errors
    /// The first thing that is missing or wrong, in the order of RFC 6455, 4.2.1.
    pub fn check<I>(
        method: &str,
        spoken: &'static [&'static str],
        header: impl Fn(&'static str) -> I,
    ) -> Result<Self, HandshakeError>
    where
        I: IntoIterator<Item = &'a str>,
    {
        if method != "GET" {
            return Err(HandshakeError::Method);
        }
        if header("host").into_iter().next().is_none() {
            return Err(HandshakeError::Host);
        }
        let names = |name, token: &str| items(header(name)).any(|item| item.eq_ignore_ascii_case(token));
        if !names("upgrade", "websocket") {
            return Err(HandshakeError::Upgrade);
        }
        if !names("connection", "upgrade") {
            return Err(HandshakeError::Connection);
        }
        if only(header("sec-websocket-version")).map(str::trim) != Some(VERSION) {
            return Err(HandshakeError::Version);
        }
        let key = only(header("sec-websocket-key")).map(str::trim).filter(|key| is_key(key));
        let accept = accept_of(key.ok_or(HandshakeError::Key)?);
        let (sub_protocol, bearer) = choose(items(header("sec-websocket-protocol")), spoken)?;
        let deflate = DeflateAgreed::choose(header("sec-websocket-extensions"));
        Ok(Self { accept, sub_protocol, bearer, deflate })
    }

    /// The whole 101 response, with `headers` (name, value) beside those of the handshake. Bytes
    /// that a header value may not have become `?`.
    #[must_use]
    pub fn response(&self, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut response = String::with_capacity(256);
        response
            .push_str("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
        let deflate = self.deflate.map(DeflateAgreed::answer);
        let own = [
            ("Sec-WebSocket-Accept", Some(&*self.accept)),
            ("Sec-WebSocket-Protocol", self.sub_protocol),
            ("Sec-WebSocket-Extensions", deflate.as_deref()),
        ];
        let own = own.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
        for (name, value) in own.chain(headers.iter().copied()) {
            response.push_str(name);
            response.push_str(": ");
            response.extend(value.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }));
            response.push_str("\r\n");
        }
        response.push_str("\r\n");
        response.into_bytes()
    }
}

/// The value of `Sec-WebSocket-Accept` that belongs to a key.
#[must_use]
pub fn accept_of(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(ACCEPT_SUFFIX).finalize())
}

/// The non-empty items of a header that is a comma-separated list, over all its lines.
fn items<'a>(values: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    values.into_iter().flat_map(|value| value.split(',')).map(str::trim).filter(|item| !item.is_empty())
}

/// The value of a header that must be there exactly once.
fn only<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut values = values.into_iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

fn is_key(key: &str) -> bool {
    STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == KEY_BYTES)
}

type Choice<'a> = (Option<&'static str>, Option<&'a str>);

fn choose<'a>(
    offered: impl Iterator<Item = &'a str>,
    spoken: &'static [&'static str],
) -> Result<Choice<'a>, HandshakeError> {
    let (mut asked, mut chosen, mut bearer) = (false, None, None);
    for entry in offered {
        if let Some(token) = entry.strip_prefix(BEARER_PREFIX) {
            bearer = bearer.or(Some(token));
            continue;
        }
        asked = true;
        chosen = chosen.or_else(|| spoken.iter().copied().find(|name| *name == entry));
    }
    if asked && chosen.is_none() {
        return Err(HandshakeError::SubProtocol { spoken });
    }
    Ok((chosen, bearer))
}

#[cfg(test)]
mod tests;
