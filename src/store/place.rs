//! Where durable state is.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::StoreError;
use super::session::Session;
use super::{postgres, sqlite};
use crate::fault::Faults;

/// A database.
#[derive(Debug, Clone)]
pub struct Place(Kind);

#[derive(Debug, Clone)]
pub(super) enum Kind {
    File(PathBuf),
    Postgres(Arc<tokio_postgres::Config>, Option<Arc<Faults>>),
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self(Kind::File(path.to_path_buf()))
    }
}

impl From<&PathBuf> for Place {
    fn from(path: &PathBuf) -> Self {
        Self::from(path.as_path())
    }
}

impl Place {
    /// The database of a PostgreSQL server: `postgres://user:password@host:port/database`.
    pub fn postgres(url: &str) -> Result<Self, StoreError> {
        let config = tokio_postgres::Config::from_str(url).map_err(|error| {
            // Without the URL, which has the password.
            StoreError::Invalid(format!(
                "{}: it is postgres://user@host:port/database",
                postgres::text(&error)
            ))
        })?;
        Ok(Self(Kind::Postgres(Arc::new(config), None)))
    }

    /// The same, which cannot be reached when it is to be so.
    pub(super) fn with_faults(self, faults: Option<Arc<Faults>>) -> Self {
        match self.0 {
            Kind::Postgres(config, _) => Self(Kind::Postgres(config, faults)),
            kind @ Kind::File(_) => Self(kind),
        }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }

    /// What it is called in messages: the file, or the URL without its password.
    pub(super) fn name(&self) -> PathBuf {
        match &self.0 {
            Kind::File(path) => path.clone(),
            Kind::Postgres(config, _) => postgres::name(config).into(),
        }
    }

    pub(super) fn open_writable(&self) -> Result<Session, StoreError> {
        match &self.0 {
            Kind::File(path) => Ok(Session::Sqlite(sqlite::open_writable(path)?)),
            Kind::Postgres(config, faults) => {
                Ok(Session::Postgres(Box::new(postgres::Session::open(config, faults.clone())?)))
            }
        }
    }

    pub(super) fn open_read_only(&self) -> Result<Session, StoreError> {
        match &self.0 {
            Kind::File(path) => Ok(Session::Sqlite(sqlite::open_read_only(path)?)),
            Kind::Postgres(config, faults) => {
                Ok(Session::Postgres(Box::new(postgres::Session::open(config, faults.clone())?)))
            }
        }
    }
}
