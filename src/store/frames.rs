//! Frames of samples on their way into the table. SQLite takes each at once; PostgreSQL gets those of a group together, by
//! COPY, into the table of their day.

use bytes::{BufMut, Bytes, BytesMut};

use super::StoreError;
use super::sample_days::SampleDays;
use super::sample_sets::SetId;
use super::session::{Dialect, Session};
use super::value::params;

/// One frame: values as they are kept.
struct Frame {
    id: SetId,
    ts_ms: u64,
    data: Vec<u8>,
}

/// The frames of one group that are not sent yet.
#[derive(Default)]
pub(super) struct Frames {
    waiting: Vec<Frame>,
    days: SampleDays,
}

impl Frames {
    /// Keeps one frame; one that is there already stays as it is.
    pub(super) fn put(
        &mut self,
        session: &Session,
        id: SetId,
        ts_ms: u64,
        data: Vec<u8>,
    ) -> Result<(), StoreError> {
        match session.dialect() {
            Dialect::Sqlite => {
                let sql = "INSERT INTO samples (node_id, ts_ms, set_id, data) VALUES (?1, ?2, ?3, ?4)
                           ON CONFLICT DO NOTHING";
                session.execute(sql, params![id.node, ts_ms, id.set, data])?;
            }
            Dialect::Postgres => {
                self.days.make(session, ts_ms)?;
                self.waiting.push(Frame { id, ts_ms, data });
            }
        }
        Ok(())
    }

    /// How many wait for [`Frames::flush`].
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Drops the days that were over before this; about how many frames went.
    pub(super) fn drop_before(&mut self, session: &Session, before_ms: u64) -> Result<u64, StoreError> {
        self.days.drop_before(session, before_ms)
    }

    /// Only the first so many stay: the others were of a request that is undone.
    pub(super) fn keep(&mut self, frames: usize) {
        self.waiting.truncate(frames);
        self.days.forget();
    }

    /// Sends what waits to the database.
    pub(super) fn flush(&mut self, session: &Session) -> Result<(), StoreError> {
        let Session::Postgres(postgres) = session else { return Ok(()) };
        if self.waiting.is_empty() {
            return Ok(());
        }
        let rows = encode(&self.waiting);
        self.waiting.clear();
        session.savepoint()?;
        let copied =
            postgres.copy_in("COPY samples (node_id, ts_ms, set_id, data) FROM STDIN (FORMAT binary)", &rows);
        match copied {
            // An agent sent again what it had no answer for, or a frame came twice: COPY itself cannot pass over rows.
            Err(StoreError::Conflict(_)) => session.undo()?,
            copied => return copied.map(drop),
        }
        session.execute_batch(
            "CREATE TEMPORARY TABLE IF NOT EXISTS frames (LIKE samples) ON COMMIT DELETE ROWS",
        )?;
        postgres.copy_in("COPY frames (node_id, ts_ms, set_id, data) FROM STDIN (FORMAT binary)", &rows)?;
        session.execute("INSERT INTO samples SELECT * FROM frames ON CONFLICT DO NOTHING", params![])?;
        Ok(())
    }

    /// After a transaction that was undone.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
        self.days.forget();
    }
}

/// In the binary form of COPY: a header, for each row the number of its columns and each with its length, an end.
fn encode(frames: &[Frame]) -> Bytes {
    const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    let mut rows =
        BytesMut::with_capacity(64 + frames.iter().map(|frame| frame.data.len() + 42).sum::<usize>());
    rows.put_slice(HEADER);
    for Frame { id, ts_ms, data } in frames {
        rows.put_i16(4);
        for number in [id.node, i64::try_from(*ts_ms).unwrap_or(i64::MAX), id.set] {
            rows.put_i32(8);
            rows.put_i64(number);
        }
        // A frame is far shorter: its message is bounded.
        rows.put_i32(i32::try_from(data.len()).unwrap_or(i32::MAX));
        rows.put_slice(data);
    }
    rows.put_i16(-1);
    rows.freeze()
}
