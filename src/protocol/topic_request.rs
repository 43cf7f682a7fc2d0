//! One topic of a `subscribe`: its name alone, or what is wanted of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A topic as a client asks for it. Nothing in it is checked yet.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct TopicRequest {
    /// The name, or a wildcard such as `metrics:*`.
    pub topic: String,
    /// Where the client stood before.
    #[serde(default)]
    pub recover: Option<Recover>,
    /// Only the newest message of each key while the client is behind.
    #[serde(default)]
    pub conflate: bool,
    /// Frames a second at most; implies `conflate`.
    #[serde(default)]
    pub max_rate_hz: Option<f64>,
    /// Which messages are wanted.
    #[serde(default)]
    pub filter: Option<FilterRequest>,
}

/// Where a client stands in a topic.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Recover {
    /// The epoch that it knows.
    pub epoch: String,
    /// Offset of the last message that it has.
    pub offset: u64,
}

/// Which messages of a topic are wanted; what is not named does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterRequest {
    /// Messages of these keys; `web-*` stands for every key that begins so.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Messages that have all of these labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for TopicRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrObject;

        impl<'de> Visitor<'de> for NameOrObject {
            type Value = TopicRequest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a topic's name or an object with `topic`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<TopicRequest, E> {
                Ok(TopicRequest { topic: name.to_owned(), ..TopicRequest::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TopicRequest, A::Error> {
                TopicRequest::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(NameOrObject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<TopicRequest, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn a_topic_is_a_name_or_an_object() {
        assert_eq!(parse(r#""a""#).unwrap().topic, "a");
        let asked = parse(
            r#"{"topic":"b","recover":{"epoch":"e","offset":3},"max_rate_hz":2,"filter":{"keys":["x"]},"new":1}"#,
        )
        .unwrap();
        assert_eq!(asked.recover, Some(Recover { epoch: "e".into(), offset: 3 }));
        assert_eq!((asked.max_rate_hz, asked.conflate), (Some(2.0), false));
        assert_eq!(asked.filter.unwrap().keys, ["x"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, says) in [
            ("7", "a topic's name or an object"),
            ("{}", "missing field `topic`"),
            (r#"{"topic":"a","recover":{"epoch":"e"}}"#, "missing field `offset`"),
            (r#"{"topic":"a","recover":{"epoch":"e","offset":-1}}"#, "u64"),
            (r#"{"topic":"a","filter":{"kees":[]}}"#, "unknown field `kees`"),
        ] {
            let error = parse(json).unwrap_err();
            assert!(error.contains(says), "{json}: {error}");
        }
    }
}
