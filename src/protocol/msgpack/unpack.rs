//! From MessagePack to the JSON text that requests are; what JSON cannot say is refused by name.

use rmp::Marker;
use serde::Serialize;

use crate::protocol::codes::Code;

/// How many maps and arrays may stand in one another.
pub const DEPTH_MAX: usize = 128;

/// Why bytes are no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// A value has fewer bytes than it says.
    #[error("the MessagePack ends inside a value")]
    Cut,
    /// One frame is one value.
    #[error("{bytes} bytes follow the MessagePack value; a frame is one map")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// The byte that has no meaning.
    #[error("byte 0xc1 is no MessagePack")]
    Reserved,
    /// Family `bin`.
    #[error("binary data has no JSON form; send text, base64 for example")]
    Binary,
    /// Family `ext`, the timestamp included.
    #[error("extension types have no JSON form; send a time as RFC 3339 text or milliseconds")]
    Extension,
    /// A key that is no text.
    #[error("a map key is text, not {found}")]
    Key {
        /// What it is.
        found: &'static str,
    },
    /// NaN or an infinity.
    #[error("{found} has no JSON form; numbers are finite")]
    NotFinite {
        /// Which.
        found: &'static str,
    },
    /// Text that is not UTF-8.
    #[error("a text is not valid UTF-8")]
    Utf8,
    /// Too many containers in one another.
    #[error("maps and arrays may be nested {DEPTH_MAX} deep, not more")]
    Deep,
    /// A little MessagePack can be a lot of JSON.
    #[error("as JSON the frame has more than the {bytes_max} bytes that a frame may have")]
    TooLarge {
        /// The bound.
        bytes_max: usize,
    },
}

impl UnpackError {
    /// The row of the table of codes.
    pub fn code(&self) -> Code {
        match self {
            Self::TooLarge { .. } => Code::TooLarge,
            _ => Code::InvalidMsgpack,
        }
    }
}

/// The JSON text of one MessagePack value, of at most `bytes_max`.
///
/// # Errors
/// The first thing in it that is no MessagePack or has no JSON form.
pub fn json_of(packed: &[u8], bytes_max: usize) -> Result<String, UnpackError> {
    let mut unpacker = Unpacker { rest: packed, json: Vec::with_capacity(packed.len()), open: Vec::new() };
    loop {
        unpacker.value()?;
        if unpacker.json.len() > bytes_max {
            return Err(UnpackError::TooLarge { bytes_max });
        }
        if !unpacker.advance() {
            break;
        }
    }
    if !unpacker.rest.is_empty() {
        return Err(UnpackError::Trailing { bytes: unpacker.rest.len() });
    }
    if unpacker.json.len() > bytes_max {
        return Err(UnpackError::TooLarge { bytes_max });
    }
    String::from_utf8(unpacker.json).map_err(|_impossible| UnpackError::Utf8)
}

/// A map or array under way.
struct Open {
    is_map: bool,
    /// Values behind the one that is read, keys included.
    missing: u64,
    begun: bool,
}

impl Open {
    /// Whether what is read is a key.
    fn is_at_key(&self) -> bool {
        self.is_map && !self.missing.is_multiple_of(2)
    }
}

struct Unpacker<'a> {
    rest: &'a [u8],
    json: Vec<u8>,
    open: Vec<Open>,
}

impl<'a> Unpacker<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], UnpackError> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(UnpackError::Cut)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next bytes, as many as a number has.
    fn array<const N: usize>(&mut self) -> Result<[u8; N], UnpackError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(UnpackError::Cut)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Reads one value, or the beginning of a map or an array.
    fn value(&mut self) -> Result<(), UnpackError> {
        let [marker] = self.array()?;
        let marker = Marker::from_u8(marker);
        if self.open.last().is_some_and(Open::is_at_key) {
            text_only(marker)?;
        }
        match marker {
            Marker::Null => self.literal("null"),
            Marker::True => self.literal("true"),
            Marker::False => self.literal("false"),
            Marker::FixStr(bytes) => self.text(u32::from(bytes))?,
            Marker::Str8 => {
                let bytes = u8::from_be_bytes(self.array()?);
                self.text(bytes.into())?;
            }
            Marker::Str16 => {
                let bytes = u16::from_be_bytes(self.array()?);
                self.text(bytes.into())?;
            }
            Marker::Str32 => {
                let bytes = u32::from_be_bytes(self.array()?);
                self.text(bytes)?;
            }
            Marker::FixArray(values) => self.begin(false, values.into())?,
            Marker::Array16 => {
                let values = u16::from_be_bytes(self.array()?);
                self.begin(false, values.into())?;
            }
            Marker::Array32 => {
                let values = u32::from_be_bytes(self.array()?);
                self.begin(false, values)?;
            }
            Marker::FixMap(pairs) => self.begin(true, pairs.into())?,
            Marker::Map16 => {
                let pairs = u16::from_be_bytes(self.array()?);
                self.begin(true, pairs.into())?;
            }
            Marker::Map32 => {
                let pairs = u32::from_be_bytes(self.array()?);
                self.begin(true, pairs)?;
            }
            number => self.number(number)?,
        }
        Ok(())
    }

    fn number(&mut self, marker: Marker) -> Result<(), UnpackError> {
        match marker {
            Marker::FixPos(number) => self.write(&number),
            Marker::FixNeg(number) => self.write(&number),
            Marker::U8 => self.array().map(|bytes| self.write(&u8::from_be_bytes(bytes)))?,
            Marker::U16 => self.array().map(|bytes| self.write(&u16::from_be_bytes(bytes)))?,
            Marker::U32 => self.array().map(|bytes| self.write(&u32::from_be_bytes(bytes)))?,
            Marker::U64 => self.array().map(|bytes| self.write(&u64::from_be_bytes(bytes)))?,
            Marker::I8 => self.array().map(|bytes| self.write(&i8::from_be_bytes(bytes)))?,
            Marker::I16 => self.array().map(|bytes| self.write(&i16::from_be_bytes(bytes)))?,
            Marker::I32 => self.array().map(|bytes| self.write(&i32::from_be_bytes(bytes)))?,
            Marker::I64 => self.array().map(|bytes| self.write(&i64::from_be_bytes(bytes)))?,
            Marker::F32 => {
                let number = f32::from_be_bytes(self.array()?);
                finite(number.into())?;
                self.write(&number);
            }
            Marker::F64 => {
                let number = f64::from_be_bytes(self.array()?);
                finite(number)?;
                self.write(&number);
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => return Err(UnpackError::Binary),
            Marker::Reserved => return Err(UnpackError::Reserved),
            _ => return Err(UnpackError::Extension),
        }
        Ok(())
    }

    fn text(&mut self, bytes: u32) -> Result<(), UnpackError> {
        let bytes = usize::try_from(bytes).map_err(|_more_than_there_is| UnpackError::Cut)?;
        let text = std::str::from_utf8(self.take(bytes)?).map_err(|_place_unknown| UnpackError::Utf8)?;
        self.write(text);
        Ok(())
    }

    fn begin(&mut self, is_map: bool, values: u32) -> Result<(), UnpackError> {
        if self.open.len() == DEPTH_MAX {
            return Err(UnpackError::Deep);
        }
        self.json.push(if is_map { b'{' } else { b'[' });
        let missing = u64::from(values) * if is_map { 2 } else { 1 };
        self.open.push(Open { is_map, missing, begun: false });
        Ok(())
    }

    fn literal(&mut self, literal: &str) {
        self.json.extend_from_slice(literal.as_bytes());
    }

    fn write<T: Serialize + ?Sized>(&mut self, value: &T) {
        // Numbers and text always serialize, and writing into memory does not fail.
        drop(serde_json::to_writer(&mut self.json, value));
    }

    /// Closes what is complete and writes what stands before the next value; false after the last.
    fn advance(&mut self) -> bool {
        while let Some(inside) = self.open.last_mut() {
            if inside.missing > 0 {
                inside.missing -= 1;
                let begun = std::mem::replace(&mut inside.begun, true);
                if inside.is_map && !inside.is_at_key() {
                    self.json.push(b':');
                } else if begun {
                    self.json.push(b',');
                }
                return true;
            }
            self.json.push(if inside.is_map { b'}' } else { b']' });
            self.open.pop();
        }
        false
    }
}

fn finite(number: f64) -> Result<(), UnpackError> {
    if number.is_finite() {
        return Ok(());
    }
    Err(UnpackError::NotFinite { found: if number.is_nan() { "NaN" } else { "infinity" } })
}

fn text_only(marker: Marker) -> Result<(), UnpackError> {
    let found = match marker {
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => return Ok(()),
        Marker::Null => "nil",
        Marker::True | Marker::False => "a boolean",
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => "binary data",
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => "an array",
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => "a map",
        Marker::Reserved => return Err(UnpackError::Reserved),
        Marker::FixPos(_) | Marker::FixNeg(_) | Marker::F32 | Marker::F64 => "a number",
        Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => "a number",
        Marker::I8 | Marker::I16 | Marker::I32 | Marker::I64 => "a number",
        _ => "an extension type",
    };
    Err(UnpackError::Key { found })
}
