//! Values as PostgreSQL wants and gives them: a whole number is what its column is, and a boolean is one too.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::super::StoreError;
use super::super::value::Value;

/// A parameter of another type than the statement wants.
#[derive(Debug, thiserror::Error)]
#[error("the statement wants a {wanted}, not {given}")]
pub(super) struct Misfit {
    wanted: Type,
    given: String,
}

impl ToSql for Value<'_> {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (*self, wanted) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Integer(integer), &Type::INT8) => integer.to_sql(wanted, out),
            (Value::Integer(integer), &Type::INT4) => i32::try_from(integer)?.to_sql(wanted, out),
            (Value::Integer(integer), &Type::BOOL) => (integer != 0).to_sql(wanted, out),
            (Value::Real(real), &Type::FLOAT8) => real.to_sql(wanted, out),
            (Value::Text(text), &(Type::TEXT | Type::VARCHAR)) => text.to_sql(wanted, out),
            (Value::Bytes(bytes), &Type::BYTEA) => bytes.to_sql(wanted, out),
            (value, _) => Err(Misfit { wanted: wanted.clone(), given: format!("{value:?}") }.into()),
        }
    }

    fn accepts(_wanted: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One column of a row.
pub(in crate::store) fn column(row: &Row, column: usize) -> Result<Value<'_>, StoreError> {
    let kind = row.columns().get(column).map(|column| column.type_().clone());
    let value = match kind {
        Some(Type::INT8) => row.try_get::<_, Option<i64>>(column)?.map(Value::Integer),
        Some(Type::INT4) => row.try_get::<_, Option<i32>>(column)?.map(|value| Value::Integer(value.into())),
        Some(Type::BOOL) => row.try_get::<_, Option<bool>>(column)?.map(|value| Value::Integer(value.into())),
        Some(Type::FLOAT8) => row.try_get::<_, Option<f64>>(column)?.map(Value::Real),
        Some(Type::TEXT | Type::VARCHAR) => row.try_get::<_, Option<&str>>(column)?.map(Value::Text),
        Some(Type::BYTEA) => row.try_get::<_, Option<&[u8]>>(column)?.map(Value::Bytes),
        kind => return Err(StoreError::Sql(format!("column {column} of an answer is {kind:?}"))),
    };
    Ok(value.unwrap_or(Value::Null))
}
