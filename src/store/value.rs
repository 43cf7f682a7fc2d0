//! What goes into a statement and what comes out of a row: the same five kinds on both databases.

use bytes::Bytes;

use super::StoreError;

/// One parameter, or one column of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    /// Also a boolean, 0 or 1.
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// What can be a parameter.
pub(super) trait Bind {
    fn bind(&self) -> Value<'_>;
}

/// The parameters of a statement: `params![name, now_ms]`.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::store::value::Bind::bind(&$value)),*] };
}
pub(super) use params;

impl<T: Bind + ?Sized> Bind for &T {
    fn bind(&self) -> Value<'_> {
        (**self).bind()
    }
}

impl<T: Bind> Bind for Option<T> {
    fn bind(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, Bind::bind)
    }
}

impl Bind for str {
    fn bind(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Bind for String {
    fn bind(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Bind for [u8] {
    fn bind(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl Bind for Vec<u8> {
    fn bind(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl<const N: usize> Bind for [u8; N] {
    fn bind(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl Bind for i64 {
    fn bind(&self) -> Value<'_> {
        Value::Integer(*self)
    }
}

/// A time, offset or count. What does not fit is kept as the greatest that does.
impl Bind for u64 {
    fn bind(&self) -> Value<'_> {
        Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

impl Bind for usize {
    fn bind(&self) -> Value<'_> {
        Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

impl Bind for u32 {
    fn bind(&self) -> Value<'_> {
        Value::Integer(i64::from(*self))
    }
}

impl Bind for u16 {
    fn bind(&self) -> Value<'_> {
        Value::Integer(i64::from(*self))
    }
}

impl Bind for u8 {
    fn bind(&self) -> Value<'_> {
        Value::Integer(i64::from(*self))
    }
}

impl Bind for bool {
    fn bind(&self) -> Value<'_> {
        Value::Integer(i64::from(*self))
    }
}

impl Bind for f64 {
    fn bind(&self) -> Value<'_> {
        Value::Real(*self)
    }
}

/// One row of an answer.
#[derive(Clone, Copy)]
pub(super) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl<'a> Row<'a> {
    /// The column as what it is to be; texts and bytes may be borrowed from the row.
    pub(super) fn get<T: Read<'a>>(&self, column: usize) -> Result<T, StoreError> {
        let value = match self {
            Self::Sqlite(row) => super::sqlite::column(row, column)?,
            Self::Postgres(row) => super::postgres::column(row, column)?,
        };
        T::read(value).ok_or_else(|| StoreError::Corrupt(format!("column {column} of a row is {value:?}")))
    }
}

/// What a column can be read as; `None`: it is something else.
pub(super) trait Read<'a>: Sized {
    fn read(value: Value<'a>) -> Option<Self>;
}

impl<'a, T: Read<'a>> Read<'a> for Option<T> {
    fn read(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::read(value).map(Some),
        }
    }
}

impl<'a> Read<'a> for &'a str {
    fn read(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'a> Read<'a> for String {
    fn read(value: Value<'a>) -> Option<Self> {
        <&str>::read(value).map(str::to_owned)
    }
}

impl<'a> Read<'a> for &'a [u8] {
    fn read(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl<'a> Read<'a> for Bytes {
    fn read(value: Value<'a>) -> Option<Self> {
        <&[u8]>::read(value).map(Self::copy_from_slice)
    }
}

impl<'a, const N: usize> Read<'a> for [u8; N] {
    fn read(value: Value<'a>) -> Option<Self> {
        <&[u8]>::read(value)?.try_into().ok()
    }
}

impl<'a> Read<'a> for i64 {
    fn read(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Integer(integer) => Some(integer),
            _ => None,
        }
    }
}

/// Reads back what was bound; below zero is only what a clock that was wrong left.
impl<'a> Read<'a> for u64 {
    fn read(value: Value<'a>) -> Option<Self> {
        i64::read(value).map(|integer| Self::try_from(integer).unwrap_or(0))
    }
}

impl<'a> Read<'a> for u32 {
    fn read(value: Value<'a>) -> Option<Self> {
        i64::read(value)?.try_into().ok()
    }
}

impl<'a> Read<'a> for u16 {
    fn read(value: Value<'a>) -> Option<Self> {
        i64::read(value)?.try_into().ok()
    }
}

impl<'a> Read<'a> for u8 {
    fn read(value: Value<'a>) -> Option<Self> {
        i64::read(value)?.try_into().ok()
    }
}

impl<'a> Read<'a> for bool {
    fn read(value: Value<'a>) -> Option<Self> {
        i64::read(value).map(|integer| integer != 0)
    }
}

impl<'a> Read<'a> for f64 {
    fn read(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Real(real) => Some(real),
            Value::Integer(integer) => Some(integer as Self),
            _ => None,
        }
    }
}
