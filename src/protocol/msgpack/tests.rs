//! Both directions, against serde's own JSON and by hand.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::websocket::payload_of;

const BYTES_MAX: usize = 1 << 20;

fn packed(json: &str) -> Vec<u8> {
    payload_of(&frame_of_json(json.as_bytes())).to_vec()
}

fn unpacked(packed: &[u8]) -> Result<Value, UnpackError> {
    json_of(packed, BYTES_MAX)
        .map(|text| serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}")))
}

#[test]
fn json_becomes_the_shortest_messagepack() {
    let table: &[(&str, &[u8])] = &[
        ("null", b"\xc0"),
        (" true ", b"\xc3"),
        ("false", b"\xc2"),
        ("0", b"\x00"),
        ("127", b"\x7f"),
        ("128", b"\xcc\x80"),
        ("-32", b"\xe0"),
        ("-33", b"\xd0\xdf"),
        ("18446744073709551615", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("-9223372036854775808", b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00"),
        ("1.5", b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"),
        ("1e2", b"\xcb\x40\x59\x00\x00\x00\x00\x00\x00"),
        ("\"\"", b"\xa0"),
        ("\"g\u{fc}\"", b"\xa3g\xc3\xbc"),
        (r#""\"\\\/\b\f\n\r\t\u00fc\ud83d\ude00""#, b"\xae\"\\/\x08\x0c\n\r\t\xc3\xbc\xf0\x9f\x98\x80"),
        ("[]", b"\x90"),
        ("{}", b"\x80"),
        ("[1,[],{\"a\":[2,3]}, 4 ]", b"\x94\x01\x90\x81\xa1a\x92\x02\x03\x04"),
        ("{ \"a\" : {\"b\":{}} , \"c\":[[]]}", b"\x82\xa1a\x81\xa1b\x80\xa1c\x91\x90"),
        // What serde_json refuses to read into a value and clients may publish.
        ("1e400", b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"),
        ("18446744073709551616", b"\xcb\x43\xf0\x00\x00\x00\x00\x00\x00"),
        (r#""\ud800""#, b"\xa3\xef\xbf\xbd"),
        (r#""\udc00\ud800x""#, b"\xa7\xef\xbf\xbd\xef\xbf\xbdx"),
        (r#""\ud800\u0041""#, b"\xa4\xef\xbf\xbdA"),
    ];
    for (text, expected) in table {
        assert_eq!(&packed(text), expected, "{text}");
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(packed(&deep), [vec![0x91; 9_999], vec![0x90]].concat());
}

#[test]
fn every_form_of_messagepack_is_read() {
    let table: &[(&[u8], Value)] = &[
        (b"\x81\xa4type\xa4ping", json!({ "type": "ping" })),
        (b"\xde\x00\x01\xd9\x01a\xdc\x00\x02\xda\x00\x01b\xdb\x00\x00\x00\x01c", json!({ "a": ["b", "c"] })),
        (b"\xdf\x00\x00\x00\x01\xa1a\xdd\x00\x00\x00\x00", json!({ "a": [] })),
        (
            b"\x96\xcc\xff\xcd\xff\xff\xce\xff\xff\xff\xff\xcf\x00\x00\x00\x00\x00\x00\x00\x01\x01\xff",
            json!([255, 65_535, 4_294_967_295_u64, 1, 1, -1]),
        ),
        (
            b"\x94\xd0\x80\xd1\x80\x00\xd2\x80\x00\x00\x00\xd3\xff\xff\xff\xff\xff\xff\xff\xff",
            json!([-128, -32_768, -2_147_483_648_i64, -1]),
        ),
        // Not 0.10000000149011612, which nobody wrote.
        (b"\xca\x3d\xcc\xcc\xcd", json!(0.1)),
        (b"\x93\xc0\xc2\xc3", json!([null, false, true])),
        (b"\xa3\"\n\x01", json!("\"\n\u{1}")),
    ];
    for (bytes, expected) in table {
        assert_eq!(unpacked(bytes).as_ref(), Ok(expected), "{bytes:x?}");
    }
}

#[test]
fn what_json_cannot_say_is_refused_by_name() {
    use UnpackError as E;
    let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
    let table: &[(&[u8], UnpackError)] = &[
        (b"", E::Cut),
        (b"\x81", E::Cut),
        (b"\x81\xa4type", E::Cut),
        (b"\xa5text", E::Cut),
        (b"\xcd\x01", E::Cut),
        (b"\xdb\xff\xff\xff\xff", E::Cut),
        (b"\xdd\xff\xff\xff\xff\x01", E::Cut),
        (b"\xdf\xff\xff\xff\xff\xa1a\x01", E::Cut),
        (b"\x80\x80\x80", E::Trailing { bytes: 2 }),
        (b"\xc1", E::Reserved),
        (b"\x81\xc1\x01", E::Reserved),
        (b"\x81\xa1a\xc4\x01x", E::Binary),
        (b"\xd6\xff\x00\x00\x00\x00", E::Extension),
        (b"\xc7\x00\x05", E::Extension),
        (b"\x81\x01\x01", E::Key { found: "a number" }),
        (b"\x81\xc0\x01", E::Key { found: "nil" }),
        (b"\x81\xc4\x01a\x01", E::Key { found: "binary data" }),
        (b"\x81\x80\x01", E::Key { found: "a map" }),
        (b"\xca\x7f\xc0\x00\x00", E::NotFinite { found: "NaN" }),
        (b"\xcb\xff\xf0\x00\x00\x00\x00\x00\x00", E::NotFinite { found: "infinity" }),
        (b"\xa2\xc3\x28", E::Utf8),
        (&nested(DEPTH_MAX + 1), E::Deep),
    ];
    for (bytes, expected) in table {
        assert_eq!(json_of(bytes, BYTES_MAX).as_ref(), Err(expected), "{bytes:x?}");
    }
    assert!(json_of(&nested(DEPTH_MAX), BYTES_MAX).is_ok());
}

#[test]
fn a_little_messagepack_that_is_a_lot_of_json_is_refused() {
    let nils = [b"\xdc\x03\xe8".to_vec(), vec![0xc0; 1_000]].concat();
    assert_eq!(json_of(&nils, 5_001).map(|text| text.len()), Ok(5_001));
    assert_eq!(json_of(&nils, 5_000), Err(UnpackError::TooLarge { bytes_max: 5_000 }));
    let controls = [b"\xda\x03\xe8".to_vec(), vec![1; 1_000]].concat();
    assert_eq!(json_of(&controls, 6_001), Err(UnpackError::TooLarge { bytes_max: 6_001 }));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[\"\\\\/\u{0}-\u{1f}]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..20)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_survives_both_ways(value in any_json(), pretty: bool) {
        let text = value.to_string();
        let written = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { text.clone() };
        prop_assert_eq!(json_of(&packed(&written), BYTES_MAX), Ok(text));
    }

    #[test]
    fn junk_never_panics(junk: Vec<u8>, bytes_max in 0usize..400) {
        let _frame = frame_of_json(&junk);
        if let Ok(text) = json_of(&junk, bytes_max) {
            prop_assert!(text.len() <= bytes_max);
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn broken_json_never_panics(json in "[{}\\[\\]\",:\\\\u0-9ntfa.eE+\\- ]{0,60}") {
        let _frame = frame_of_json(json.as_bytes());
    }
}
