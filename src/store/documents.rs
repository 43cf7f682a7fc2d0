//! Shared state: documents and the newest write to each of their keys. What a write means is decided by the
//! document's actor; the store keeps what it is given.

use super::request::Reply;
use super::session::Session;
use super::value::{Row, params};
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
    /// The version that the change is made upon, where other hub nodes write too; `None`: whatever it is.
    pub base_version: Option<u64>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentWritten {
    /// It is kept.
    Kept,
    /// The document is new, and there are as many as there may be.
    TooMany,
    /// Another hub node wrote since the version that it is made upon.
    Behind,
}

/// A document with all its entries by key.
pub type WholeDocument = (DocumentHead, Vec<EntryRecord>);

const HEAD_COLUMNS: &str = "version, announced, conflicts_won, conflicts_lost, updated_at_ms";

impl Store {
    /// Keeps what changed of a document, all or nothing. Ready after the commit.
    pub fn write_document(&self, change: DocumentChange) -> Reply<DocumentWritten> {
        let values = change.entries.iter().map(|entry| entry.value.as_ref().map_or(0, String::len) + 192);
        let weight_bytes = 256 + values.sum::<usize>();
        self.write(weight_bytes, move |database| write(&database.session, &change))
    }

    /// Notes that the topic of a document has every write up to this version.
    pub fn document_announced(&self, name: &str, version: u64) -> Reply<()> {
        let name = name.to_owned();
        self.write(name.len(), move |database| {
            let sql = "UPDATE documents SET announced = ?2 WHERE name = ?1 AND announced < ?2";
            database.session.execute(sql, params![name, version])?;
            Ok(())
        })
    }

    /// A document; `None` when there is none of that name.
    pub async fn document(&self, name: &str) -> Result<Option<WholeDocument>, StoreError> {
        self.document_unless_at(name, None).await
    }

    /// A document, unless it is at that version; `None` then, and when there is none of that name.
    pub async fn document_unless_at(
        &self,
        name: &str,
        version: Option<u64>,
    ) -> Result<Option<WholeDocument>, StoreError> {
        let name = name.to_owned();
        self.read(move |session| {
            let Some((id, head)) = find(session, &name)? else { return Ok(None) };
            if version == Some(head.version) {
                return Ok(None);
            }
            let sql = "SELECT \"key\", value, version, time_steps, writer, seq FROM document_entries
                 WHERE document_id = ?1 ORDER BY \"key\"";
            let entries = session.query(sql, params![id], read_entry)?;
            Ok(Some((head, entries)))
        })
        .await
    }

    /// Documents by name, at most `limit`, those behind `after` when it is given.
    pub async fn documents(&self, after: Option<&str>, limit: usize) -> Result<Vec<DocumentRow>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |session| {
            let sql = &format!(
                "SELECT {HEAD_COLUMNS}, name,
                 (SELECT count(value) FROM document_entries WHERE document_id = documents.id),
                 (SELECT CAST(coalesce(sum(octet_length(\"key\") + coalesce(octet_length(value), 0)), 0) AS BIGINT)
                  FROM document_entries WHERE document_id = documents.id)
                 FROM documents WHERE name > ?1 ORDER BY name LIMIT ?2"
            );
            session.query(sql, params![after, limit], |row| {
                let (name, keys, bytes) = (row.get(5)?, row.get(6)?, row.get(7)?);
                Ok(DocumentRow { name, head: read_head(row)?, keys, bytes })
            })
        })
        .await
    }

    /// Names of documents whose topics lack writes of before `before_ms`, at most `limit`, those behind `after` when it is
    /// given.
    pub async fn unannounced_documents(
        &self,
        before_ms: u64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |session| {
            let sql = "SELECT name FROM documents WHERE announced < version AND name > ?1
                       AND updated_at_ms < ?3 ORDER BY name LIMIT ?2";
            session.query(sql, params![after, limit, before_ms], |row| row.get(0))
        })
        .await
    }
}

fn write(session: &Session, change: &DocumentChange) -> Result<DocumentWritten, StoreError> {
    let DocumentChange { name, head, entries, forgotten, documents_max, base_version } = change;
    let id = match find(session, name)? {
        Some((id, _)) => id,
        None => {
            let sql = "INSERT INTO documents (name, version, announced, conflicts_won, conflicts_lost, updated_at_ms)
                       SELECT ?1, 0, 0, 0, 0, 0 WHERE (SELECT count(*) FROM documents) < ?2
                       ON CONFLICT (name) DO NOTHING RETURNING id";
            let made = session.optional(sql, params![name, documents_max], |row| row.get(0))?;
            // Another hub node may have made it meanwhile.
            let Some(id) = made.or(find(session, name)?.map(|(id, _)| id)) else {
                return Ok(DocumentWritten::TooMany);
            };
            id
        }
    };
    let sql =
        "UPDATE documents SET version = ?2, conflicts_won = ?4, conflicts_lost = ?5, updated_at_ms = ?6,
               announced = CASE WHEN announced > ?3 THEN announced ELSE ?3 END
         WHERE id = ?1 AND version = coalesce(?7, version)";
    let DocumentHead { version, announced, conflicts_won, conflicts_lost, updated_at_ms } = head;
    let values = params![id, version, announced, conflicts_won, conflicts_lost, updated_at_ms, base_version];
    if session.execute(sql, values)? == 0 {
        return Ok(DocumentWritten::Behind);
    }
    for key in forgotten {
        let sql = "DELETE FROM document_entries WHERE document_id = ?1 AND \"key\" = ?2";
        session.execute(sql, params![id, key])?;
    }
    for EntryRecord { key, value, version, time_steps, writer, seq } in entries {
        let sql =
            "INSERT INTO document_entries (document_id, \"key\", value, version, time_steps, writer, seq)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                   ON CONFLICT (document_id, \"key\") DO UPDATE SET value = ?3, version = ?4, time_steps = ?5,
                       writer = ?6, seq = ?7";
        session.execute(sql, params![id, key, value, version, time_steps, writer, seq])?;
    }
    Ok(DocumentWritten::Kept)
}

fn find(session: &Session, name: &str) -> Result<Option<(i64, DocumentHead)>, StoreError> {
    let sql = format!("SELECT {HEAD_COLUMNS}, id FROM documents WHERE name = ?1");
    session.optional(&sql, params![name], |row| Ok((row.get(5)?, read_head(row)?)))
}

fn read_head(row: Row<'_>) -> Result<DocumentHead, StoreError> {
    Ok(DocumentHead {
        version: row.get(0)?,
        announced: row.get(1)?,
        conflicts_won: row.get(2)?,
        conflicts_lost: row.get(3)?,
        updated_at_ms: row.get(4)?,
    })
}

fn read_entry(row: Row<'_>) -> Result<EntryRecord, StoreError> {
    Ok(EntryRecord {
        key: row.get(0)?,
        value: row.get(1)?,
        version: row.get(2)?,
        time_steps: row.get(3)?,
        writer: row.get(4)?,
        seq: row.get(5)?,
    })
}
