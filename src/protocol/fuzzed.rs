//! What must hold for any bytes that a client sends: one function a fuzz target, called by the targets of `fuzz/` and,
//! with random and with nearly good input, by the tests below.
#![allow(unreachable_pub, reason = "the targets of `fuzz/`, which have this file too, reach them")]

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::client::{
    Ack, ClientFrame, FrameType, History, JoinRoom, Ping, Publish, Refresh, Room, RoomMessage, SyncGet,
    SyncPut, Topics,
};
use super::msgpack::{UnpackError, frame_of_json, json_of};
use crate::websocket::{Decoder, Event, Handshake, Limits, payload_of};

const LIMITS: Limits = Limits { frame_bytes_max: 1_024, message_bytes_max: 2_048 };

/// What [`unpack`] may make of its input, in bytes.
const JSON_BYTES_MAX: usize = 4_096;

/// The decoder: cut anywhere it sees the same events, without panic, without memory beyond the limits. The first
/// byte chooses the size of the pieces, its lowest bit whether permessage-deflate was agreed on.
pub fn decode(input: &[u8]) {
    let Some((&choice, input)) = input.split_first() else { return };
    let (piece_bytes, deflate) = (usize::from(choice / 2).max(1), choice % 2 == 1);
    let whole = events_of(input, input.len().max(1), deflate);
    assert_eq!(whole, events_of(input, piece_bytes, deflate));
}

fn events_of(input: &[u8], piece_bytes: usize, deflate: bool) -> Vec<String> {
    let mut decoder = Decoder::new(LIMITS).with_deflate(deflate);
    let mut seen = Vec::new();
    for piece in input.chunks(piece_bytes) {
        let mut piece = piece.to_vec();
        let mut events = decoder.feed(&mut piece);
        while let Some(event) = events.next_event() {
            match &event {
                Ok(Event::Text(text)) => assert!(text.len() <= LIMITS.message_bytes_max),
                Ok(Event::Binary(bytes)) => assert!(bytes.len() <= LIMITS.message_bytes_max),
                Ok(Event::Ping(payload) | Event::Pong(payload)) => assert!(payload.len() <= 125),
                Ok(Event::Close(reason)) => assert!(reason.text.len() <= 123),
                Err(error) => assert!(matches!(error.close_code(), 1002 | 1007 | 1009)),
            }
            seen.push(format!("{event:?}"));
        }
        assert!(decoder.held_bytes() <= LIMITS.message_bytes_max + 125);
    }
    seen
}

/// MessagePack: what is not refused becomes JSON within the bound, and comes back out of its own MessagePack.
pub fn unpack(input: &[u8]) {
    let bounded = json_of(input, JSON_BYTES_MAX / 16);
    match json_of(input, JSON_BYTES_MAX) {
        Ok(json) => {
            assert!(json.len() <= JSON_BYTES_MAX);
            assert!(serde_json::from_str::<&RawValue>(&json).is_ok(), "no JSON: {json}");
            // As the same values: a float of 32 bits comes back as one of 64, which may be written otherwise.
            let again =
                json_of(&payload_of(&frame_of_json(json.as_bytes())), usize::MAX).expect("it was JSON");
            assert!(again == json || value_of(&again) == value_of(&json), "{json} became {again}");
            assert!(matches!(bounded, Ok(same) if same == json) || json.len() > JSON_BYTES_MAX / 16);
        }
        Err(UnpackError::TooLarge { .. }) => assert!(bounded.is_err()),
        Err(_) => assert!(bounded.is_err()),
    }
}

fn value_of(json: &str) -> Option<Value> {
    serde_json::from_str(json).ok()
}

/// Requests: envelope and payload of every type are read or refused; what is read in JSON is read out of MessagePack
/// the same.
pub fn request(input: &[u8]) {
    // Whatever it is, it is packed without a panic.
    let packed = payload_of(&frame_of_json(input));
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(frame) = ClientFrame::parse(text) else { return };
    assert!(frame.id.as_ref().is_none_or(|id| id.len() <= 128));
    let is_good = is_good(&frame);
    match json_of(&packed, usize::MAX) {
        Ok(unpacked) => {
            let twin = ClientFrame::parse(&unpacked).expect("the same request");
            assert_eq!((twin.kind, &twin.id), (frame.kind, &frame.id));
            assert_eq!(self::is_good(&twin), is_good, "{text}");
        }
        // JSON is ignored at any depth where nobody looks, and has numbers that no program can hold.
        Err(error) => assert!(matches!(error, UnpackError::Deep | UnpackError::NotFinite { .. }), "{error}"),
    }
}

fn is_good(frame: &ClientFrame<'_>) -> bool {
    fn reads<'a, T: Deserialize<'a>>(frame: &ClientFrame<'a>) -> bool {
        frame.payload::<T>().is_ok()
    }
    match frame.kind {
        FrameType::Ping => reads::<Ping<'_>>(frame),
        FrameType::Subscribe | FrameType::Unsubscribe => reads::<Topics>(frame),
        FrameType::JoinRoom => reads::<JoinRoom<'_>>(frame),
        FrameType::LeaveRoom | FrameType::Presence => reads::<Room<'_>>(frame),
        FrameType::RoomMessage => reads::<RoomMessage<'_>>(frame),
        FrameType::Publish => reads::<Publish<'_>>(frame),
        FrameType::Ack => reads::<Ack<'_>>(frame),
        FrameType::History => reads::<History<'_>>(frame),
        FrameType::SyncGet => reads::<SyncGet<'_>>(frame),
        FrameType::SyncPut => reads::<SyncPut<'_>>(frame),
        FrameType::Refresh => reads::<Refresh<'_>>(frame),
        // Its payload is read by `ingest`.
        FrameType::Metrics => true,
    }
}

/// The opening handshake: any headers are answered or refused; lines of the input are `name: value`.
pub fn handshake(input: &[u8]) {
    const SPOKEN: &[&str] = &["infrawatch.v1.json"];
    let text = String::from_utf8_lossy(input);
    let fields: Vec<_> = text.lines().filter_map(|line| line.split_once(": ")).collect();
    let header =
        |name| fields.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    match Handshake::check("GET", SPOKEN, header) {
        Ok(handshake) => {
            let response = handshake.response(&[("X-Any", &text)]);
            let response = String::from_utf8(response).expect("headers are ASCII");
            assert!(response.ends_with("\r\n\r\n"));
            // Nothing that a client sends begins a header of its own.
            let lines = response.split("\r\n").filter(|line| !line.is_empty()).count();
            let agreed =
                usize::from(handshake.sub_protocol.is_some()) + usize::from(handshake.deflate.is_some());
            assert_eq!(lines, 5 + agreed, "{response}");
        }
        Err(error) => assert!((400..500).contains(&error.status())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn good_request() -> impl Strategy<Value = String> {
        let kinds = prop::sample::select(FrameType::ALL.to_vec());
        let text = "[a-z:\"\\\\*é\u{1}]{0,12}";
        (kinds, text, text, any::<i64>(), any::<bool>()).prop_map(|(kind, name, other, number, nested)| {
            let payload = json!({
                "topic": name, "room": name, "doc": name, "token": other, "key": other, "data": { "n": number },
                "topics": [name, { "topic": other, "history": number }], "value": [number, nested], "ids": [other],
                "base_version": number, "since": { "epoch": other, "offset": number }, "limit": number,
            });
            let frame = json!({ "type": kind.as_str(), "id": other, "version": 1, "payload": payload });
            let mut flat = payload;
            flat["type"] = kind.as_str().into();
            if nested { frame.to_string() } else { flat.to_string() }
        })
    }

    /// The text with some of its bytes replaced.
    fn damaged(text: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
        let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
        (text, damage).prop_map(|(text, damage)| {
            let mut bytes = text.into_bytes();
            damage.into_iter().for_each(|(at, byte)| *at.get_mut(&mut bytes) = byte);
            bytes
        })
    }

    fn upgrade() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec![
            "sec-websocket-protocol: infrawatch.v1.json, bearer.x",
            "sec-websocket-extensions: permessage-deflate; client_max_window_bits",
            "sec-websocket-extensions: permessage-deflate; server_max_window_bits=15",
            "sec-websocket-version: 13",
            "x: y",
        ]);
        prop::collection::vec(line, 0..3).prop_map(|lines| {
            let head = "host: a\nupgrade: websocket\nconnection: Upgrade\nsec-websocket-version: 13\n\
                        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\n";
            format!("{head}{}", lines.join("\n"))
        })
    }

    proptest! {
        #[test]
        fn junk(input in prop::collection::vec(any::<u8>(), 0..400)) {
            decode(&input);
            unpack(&input);
            request(&input);
            handshake(&input);
        }

        #[test]
        fn nearly_good_requests(input in damaged(good_request())) {
            request(&input);
            unpack(&payload_of(&frame_of_json(&input)));
        }

        #[test]
        fn nearly_good_upgrades(input in damaged(upgrade())) {
            handshake(&input);
        }
    }
}
