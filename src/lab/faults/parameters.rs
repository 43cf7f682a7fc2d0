//! What a scenario is told, checked against its row. Pure.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Longest text, in bytes.
const TEXT_BYTES_MAX: usize = 200;

/// One parameter of a scenario.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What a number counts.
    pub unit: Option<&'static str>,
    /// What it may be.
    pub domain: Domain,
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy)]
pub enum Domain {
    /// A whole number.
    Number {
        /// When it is left out.
        default: i64,
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A text that begins with `prefix`; a pattern (`*`, `prefix*`) where names are meant.
    Text {
        /// When it is left out.
        default: &'static str,
        /// What it begins with.
        prefix: &'static str,
    },
    /// One of these; the first when it is left out.
    Word {
        /// Which.
        allowed: &'static [&'static str],
    },
}

/// A parameter that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadParameter {
    /// Its name; empty when the object as a whole is wrong.
    pub name: String,
    /// What is wrong, and what is allowed.
    pub detail: String,
}

/// Checked parameters, one of each of the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Parameters(Map<String, Value>);

impl Domain {
    fn default(&self) -> Value {
        match *self {
            Self::Number { default, .. } => default.into(),
            Self::Text { default, .. } => default.into(),
            Self::Word { allowed } => allowed.first().copied().into(),
        }
    }

    /// `Err` says what is allowed.
    fn check(&self, value: &Value) -> Result<(), String> {
        match *self {
            Self::Number { min, max, .. } => match value.as_i64().filter(|n| (min..=max).contains(n)) {
                Some(_) => Ok(()),
                None => Err(format!("must be a whole number from {min} to {max}")),
            },
            Self::Text { prefix, .. } => {
                let fits = |text: &&str| text.len() <= TEXT_BYTES_MAX && text.len() > prefix.len();
                match value.as_str().filter(fits).filter(|text| text.starts_with(prefix)) {
                    Some(_) => Ok(()),
                    None if prefix.is_empty() => {
                        Err(format!("must be a text of 1 to {TEXT_BYTES_MAX} bytes"))
                    }
                    None => Err(format!("must begin with {prefix} and have at most {TEXT_BYTES_MAX} bytes")),
                }
            }
            Self::Word { allowed } => match value.as_str().filter(|word| allowed.contains(word)) {
                Some(_) => Ok(()),
                None => Err(format!("must be one of {}", allowed.join(", "))),
            },
        }
    }

    /// `Err`: the table has a default that is not allowed.
    pub fn check_default(&self) -> Result<(), String> {
        self.check(&self.default())
    }
}

impl Parameter {
    /// As the API lists it.
    pub fn described(&self) -> Value {
        let mut described = json!({ "name": self.name, "unit": self.unit, "default": self.domain.default() });
        match self.domain {
            Domain::Number { min, max, .. } => {
                described["kind"] = "number".into();
                described["min"] = min.into();
                described["max"] = max.into();
            }
            Domain::Text { prefix, .. } => {
                described["kind"] = "text".into();
                if !prefix.is_empty() {
                    described["prefix"] = prefix.into();
                }
            }
            Domain::Word { allowed } => {
                described["kind"] = "text".into();
                described["allowed"] = allowed.into();
            }
        }
        described
    }
}

impl Parameters {
    /// Those of a row, out of what was given; `null` counts as not given, unknown ones are errors.
    pub fn read(row: &[Parameter], given: &Map<String, Value>) -> Result<Self, Vec<BadParameter>> {
        let mut bad = Vec::new();
        let mut checked = Map::new();
        for name in given.keys().filter(|name| row.iter().all(|p| p.name != name.as_str())) {
            let known: Vec<_> = row.iter().map(|p| p.name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            bad.push(BadParameter {
                name: name.clone(),
                detail: format!("is not a parameter; there are: {known}"),
            });
        }
        for parameter in row {
            let value = given.get(parameter.name).filter(|value| !value.is_null()).cloned();
            let value = value.unwrap_or_else(|| parameter.domain.default());
            match parameter.domain.check(&value) {
                Ok(()) => drop(checked.insert(parameter.name.to_owned(), value)),
                Err(detail) => bad.push(BadParameter { name: parameter.name.to_owned(), detail }),
            }
        }
        if bad.is_empty() { Ok(Self(checked)) } else { Err(bad) }
    }

    /// A number of the row; 0 for what is none.
    pub fn number(&self, name: &str) -> i64 {
        self.0.get(name).and_then(Value::as_i64).unwrap_or_default()
    }

    /// The same where it is never below 0.
    pub fn count(&self, name: &str) -> u64 {
        u64::try_from(self.number(name)).unwrap_or_default()
    }

    /// A text of the row; empty for what is none.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// All of them.
    pub fn values(&self) -> &Map<String, Value> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &[Parameter] = &[
        Parameter { name: "n", unit: Some("ms"), domain: Domain::Number { default: 5, min: -1, max: 9 } },
        Parameter { name: "t", unit: None, domain: Domain::Text { default: "lab:x", prefix: "lab:" } },
        Parameter { name: "w", unit: None, domain: Domain::Word { allowed: &["a", "b"] } },
    ];

    fn read(given: &Value) -> Result<Value, Vec<String>> {
        let read = Parameters::read(ROW, given.as_object().unwrap());
        read.map(|p| Value::Object(p.0))
            .map_err(|bad| bad.into_iter().map(|b| b.name + ": " + &b.detail).collect())
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        assert_eq!(read(&json!({})), Ok(json!({ "n": 5, "t": "lab:x", "w": "a" })));
        let given = json!({ "n": -1, "t": "lab:y", "w": "b" });
        assert_eq!(read(&given), Ok(given));
        assert_eq!(read(&json!({ "n": null })).unwrap()["n"], 5);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        let bad = read(&json!({ "n": 10, "t": "x", "w": "c", "z": 1 })).unwrap_err();
        assert_eq!(
            bad,
            [
                "z: is not a parameter; there are: n, t, w",
                "n: must be a whole number from -1 to 9",
                "t: must begin with lab: and have at most 200 bytes",
                "w: must be one of a, b",
            ]
        );
        for given in &[json!({ "n": 1.5 }), json!({ "n": "1" }), json!({ "t": "lab:" }), json!({ "w": 1 })] {
            assert_eq!(read(given).unwrap_err().len(), 1, "{given}");
        }
    }
}
