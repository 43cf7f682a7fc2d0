//! Shared state: documents and the newest write to each of their keys. What a write means is decided by the
//! document's actor; the store keeps what it is given.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::connection::{to_sql, unsigned};
use super::request::Reply;
use super::{Store, StoreError};

/// Where a document stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentHead {
    /// Writes applied.
    pub version: u64,
    /// The version up to which the document's topic has every write.
    pub announced: u64,
    /// Conflicting writes that were applied.
    pub conflicts_won: u64,
    /// Conflicting writes that were turned down.
    pub conflicts_lost: u64,
    /// The newest change, Unix milliseconds.
    pub updated_at_ms: u64,
}

/// The newest write to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRecord {
    /// The key.
    pub key: String,
    /// JSON text; `None`: deleted.
    pub value: Option<String>,
    /// How often the key was written.
    pub version: u64,
    /// Hybrid time in steps since 1970.
    pub time_steps: u64,
    /// Who wrote.
    pub writer: String,
    /// The document's version that this write made.
    pub seq: u64,
}

/// One document in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub head: DocumentHead,
    /// Keys that have a value.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

/// What changes of a document in one step.
#[derive(Debug)]
pub struct DocumentChange {
    /// Its name.
    pub name: String,
    /// Where it stands afterwards. `announced` only ever grows.
    pub head: DocumentHead,
    /// Keys that were written.
    pub entries: Vec<EntryRecord>,
    /// Deleted keys that are not remembered any more.
    pub forgotten: Vec<String>,
    /// Documents that there may be: one more is not made.
    pub documents_max: u64,
}

const HEAD_COLUMNS: &str = "version, announced, conflicts_won, conflicts_lost, updated_at_ms";

impl Store {
    /// Keeps what changed of a document, all or nothing. Ready after the commit; false when the document is
    /// new and there are as many as there may be.
    pub fn write_document(&self, change: DocumentChange) -> Reply<bool> {
        let values = change.entries.iter().map(|entry| entry.value.as_ref().map_or(0, String::len) + 192);
        let weight_bytes = 256 + values.sum::<usize>();
        self.write(weight_bytes, move |database| write(&database.connection, &change))
    }

    /// Notes that the topic of a document has every write up to this version.
    pub fn document_announced(&self, name: &str, version: u64) -> Reply<()> {
        let name = name.to_owned();
        self.write(name.len(), move |database| {
            database
                .connection
                .prepare_cached("UPDATE documents SET announced = max(announced, ?2) WHERE name = ?1")?
                .execute(params![name, to_sql(version)])?;
            Ok(())
        })
    }

    /// A document with all its entries by key; `None` when there is none of that name.
    pub async fn document(&self, name: &str) -> Result<Option<(DocumentHead, Vec<EntryRecord>)>, StoreError> {
        let name = name.to_owned();
        self.read(move |connection| {
            let Some((id, head)) = find(connection, &name)? else { return Ok(None) };
            let mut statement = connection.prepare_cached(
                "SELECT \"key\", value, version, time_steps, writer, seq FROM document_entries
                 WHERE document_id = ?1 ORDER BY \"key\"",
            )?;
            let entries = statement.query_map([id], read_entry)?.collect::<Result<_, _>>()?;
            Ok(Some((head, entries)))
        })
        .await
    }

    /// Documents by name, at most `limit`, those behind `after` when it is given.
    pub async fn documents(&self, after: Option<&str>, limit: usize) -> Result<Vec<DocumentRow>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {HEAD_COLUMNS}, name,
                 (SELECT count(value) FROM document_entries WHERE document_id = documents.id),
                 (SELECT coalesce(sum(length(CAST(\"key\" AS BLOB)) + coalesce(length(CAST(value AS BLOB)), 0)), 0)
                  FROM document_entries WHERE document_id = documents.id)
                 FROM documents WHERE name > ?1 ORDER BY name LIMIT ?2"
            ))?;
            let rows = statement.query_map(params![after, limit as i64], |row| {
                let (name, keys, bytes) = (row.get(5)?, unsigned(row, 6)?, unsigned(row, 7)?);
                Ok(DocumentRow { name, head: read_head(row)?, keys, bytes })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Names of documents whose topics lack writes, at most `limit`, those behind `after` when it is given.
    pub async fn unannounced_documents(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name FROM documents WHERE announced < version AND name > ?1 ORDER BY name LIMIT ?2",
            )?;
            let rows = statement.query_map(params![after, limit as i64], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn write(connection: &Connection, change: &DocumentChange) -> Result<bool, StoreError> {
    let DocumentChange { name, head, entries, forgotten, documents_max } = change;
    let id = match find(connection, name)? {
        Some((id, _)) => id,
        None => {
            let made = connection
                .prepare_cached(
                    "INSERT INTO documents (name, version, announced, conflicts_won, conflicts_lost, updated_at_ms)
                     SELECT ?1, 0, 0, 0, 0, 0 WHERE (SELECT count(*) FROM documents) < ?2",
                )?
                .execute(params![name, to_sql(*documents_max)])?;
            if made == 0 {
                return Ok(false);
            }
            connection.last_insert_rowid()
        }
    };
    connection
        .prepare_cached(
            "UPDATE documents SET version = ?2, announced = max(announced, ?3), conflicts_won = ?4,
             conflicts_lost = ?5, updated_at_ms = ?6 WHERE id = ?1",
        )?
        .execute(params![
            id,
            to_sql(head.version),
            to_sql(head.announced),
            to_sql(head.conflicts_won),
            to_sql(head.conflicts_lost),
            to_sql(head.updated_at_ms),
        ])?;
    let mut delete =
        connection.prepare_cached("DELETE FROM document_entries WHERE document_id = ?1 AND \"key\" = ?2")?;
    for key in forgotten {
        delete.execute(params![id, key])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO document_entries (document_id, \"key\", value, version, time_steps, writer, seq)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for entry in entries {
        insert.execute(params![
            id,
            entry.key,
            entry.value,
            to_sql(entry.version),
            to_sql(entry.time_steps),
            entry.writer,
            to_sql(entry.seq),
        ])?;
    }
    Ok(true)
}

fn find(connection: &Connection, name: &str) -> Result<Option<(i64, DocumentHead)>, StoreError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {HEAD_COLUMNS}, id FROM documents WHERE name = ?1"))?
        .query_row([name], |row| Ok((row.get(5)?, read_head(row)?)))
        .optional()?)
}

fn read_head(row: &Row<'_>) -> rusqlite::Result<DocumentHead> {
    Ok(DocumentHead {
        version: unsigned(row, 0)?,
        announced: unsigned(row, 1)?,
        conflicts_won: unsigned(row, 2)?,
        conflicts_lost: unsigned(row, 3)?,
        updated_at_ms: unsigned(row, 4)?,
    })
}

fn read_entry(row: &Row<'_>) -> rusqlite::Result<EntryRecord> {
    Ok(EntryRecord {
        key: row.get(0)?,
        value: row.get(1)?,
        version: unsigned(row, 2)?,
        time_steps: unsigned(row, 3)?,
        writer: row.get(4)?,
        seq: unsigned(row, 5)?,
    })
}
