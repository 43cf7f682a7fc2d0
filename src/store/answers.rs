//! Answers that are given again to whoever sends a request with the same key again.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::request::Reply;
use super::value::{Row, params};
use super::{Store, StoreError};

/// A digest, SHA-256.
pub type Digest = [u8; 32];

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Digest of the body of the request.
    pub content: Digest,
    /// Status of the answer.
    pub status: u16,
    /// Those of its headers that mean something.
    pub headers: BTreeMap<String, String>,
    /// Its body; `None`: too long to be kept.
    pub answer: Option<Bytes>,
}

impl Store {
    /// The answer to a request, if it was kept since.
    pub async fn kept_answer(
        &self,
        request: Digest,
        since_ms: u64,
    ) -> Result<Option<KeptAnswer>, StoreError> {
        self.read(move |session| {
            let sql = "SELECT content, status, headers, answer FROM kept_answers
                       WHERE request = ?1 AND kept_at_ms >= ?2";
            session.optional(sql, params![request, since_ms], read)
        })
        .await
    }

    /// Keeps the answer to a request; the oldest beyond `answers_max` are forgotten.
    pub fn keep_answer(
        &self,
        request: Digest,
        kept: KeptAnswer,
        now_ms: u64,
        answers_max: usize,
    ) -> Reply<()> {
        let weight_bytes = kept.answer.as_ref().map_or(0, Bytes::len) + 512;
        self.write(weight_bytes, move |database| {
            let session = &database.session;
            // A newer answer has a number of its own: the oldest leave.
            session.execute("DELETE FROM kept_answers WHERE request = ?1", params![request])?;
            session.execute(
                "INSERT INTO kept_answers (request, content, status, headers, answer, kept_at_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    request,
                    kept.content,
                    kept.status,
                    serde_json::to_string(&kept.headers)?,
                    kept.answer.as_deref(),
                    now_ms,
                ],
            )?;
            let sql = "DELETE FROM kept_answers WHERE seq <= (SELECT max(seq) FROM kept_answers) - ?1";
            session.execute(sql, params![answers_max])?;
            Ok(())
        })
    }

    /// Forgets at most `limit` answers that were kept before this; returns how many.
    pub fn prune_answers(&self, kept_before_ms: u64, limit: usize) -> Reply<u64> {
        self.write(0, move |database| {
            database.session.execute(
                "DELETE FROM kept_answers WHERE seq IN
                         (SELECT seq FROM kept_answers WHERE kept_at_ms < ?1 ORDER BY kept_at_ms LIMIT ?2)",
                params![kept_before_ms, limit],
            )
        })
    }
}

fn read(row: Row<'_>) -> Result<KeptAnswer, StoreError> {
    Ok(KeptAnswer {
        content: row.get(0)?,
        status: row.get(1)?,
        // Only a damaged database has others.
        headers: serde_json::from_str(row.get(2)?).unwrap_or_default(),
        answer: row.get(3)?,
    })
}
