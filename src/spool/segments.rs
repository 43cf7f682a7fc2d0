//! The files of a spool: an ordered row of segments, the last of which grows.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

use tracing::warn;

use super::segment::{self, HEADER_BYTES, Header, MAGIC, record_bytes};
use super::{Record, SpoolError};

const EXTENSION: &str = "spool";
const SETTLED_FILE: &str = "settled";
const LOCK_FILE: &str = "lock";
const SEGMENT_BYTES_MAX: u64 = 1024 * 1024;
/// A small spool still has this many segments, so that dropping the oldest drops little.
const SEGMENTS_MIN: u64 = 16;

struct Segment {
    path: PathBuf,
    first_seq: u64,
    last_seq: u64,
    bytes: u64,
}

struct Reader {
    file: File,
    first_seq: u64,
    offset: u64,
}

pub(super) struct Segments {
    directory: PathBuf,
    bytes_max: u64,
    segment_bytes_max: u64,
    segments: VecDeque<Segment>,
    bytes: u64,
    next_seq: u64,
    settled_seq: u64,
    /// Writes to the last segment; `None` when the next record starts a new one.
    writer: Option<File>,
    reader: Option<Reader>,
    /// A segment was begun, and a power cut may forget its name.
    unnamed: bool,
    /// Held for as long as the spool is open.
    _lock: File,
}

impl Segments {
    pub(super) fn open(directory: &Path, bytes_max: u64) -> Result<Self, SpoolError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed("create", directory))?;
        let lock_path = directory.join(LOCK_FILE);
        let lock = File::create(&lock_path).map_err(failed("create", &lock_path))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => SpoolError::InUse { directory: directory.display().to_string() },
            fs::TryLockError::Error(source) => failed("lock", &lock_path)(source),
        })?;
        let settled_seq = load_settled(&directory.join(SETTLED_FILE));
        let mut segments = Self {
            directory: directory.to_owned(),
            bytes_max,
            segment_bytes_max: (bytes_max / SEGMENTS_MIN).min(SEGMENT_BYTES_MAX),
            segments: VecDeque::new(),
            bytes: 0,
            next_seq: settled_seq,
            settled_seq,
            writer: None,
            reader: None,
            unnamed: false,
            _lock: lock,
        };
        segments.load()?;
        Ok(segments)
    }

    fn load(&mut self) -> Result<(), SpoolError> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed("list", &self.directory))? {
            let path = entry.map_err(failed("list", &self.directory))?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                paths.push(path);
            }
        }
        paths.sort();
        for path in paths {
            self.load_segment(path)?;
        }
        Ok(())
    }

    fn load_segment(&mut self, path: PathBuf) -> Result<(), SpoolError> {
        let content = fs::read(&path).map_err(failed("read", &path))?;
        let scan = segment::scan(&content);
        if scan.records == 0 || scan.first_seq < self.segments.back().map_or(0, |last| last.last_seq + 1) {
            warn!(path = %path.display(), bytes = content.len(), "removed a spool segment without a good record");
            return fs::remove_file(&path).map_err(failed("remove", &path));
        }
        if scan.bytes < content.len() as u64 {
            warn!(path = %path.display(), bytes = content.len() as u64 - scan.bytes, "cut a torn tail off the spool");
            let file = OpenOptions::new().write(true).open(&path).map_err(failed("open", &path))?;
            file.set_len(scan.bytes).map_err(failed("cut", &path))?;
        }
        self.bytes += scan.bytes;
        self.next_seq = self.next_seq.max(scan.last_seq + 1);
        self.segments.push_back(Segment {
            path,
            first_seq: scan.first_seq,
            last_seq: scan.last_seq,
            bytes: scan.bytes,
        });
        Ok(())
    }

    /// Writes a record with the next sequence number. The caller has made room.
    pub(super) fn append(&mut self, payload: &[u8]) -> Result<u64, SpoolError> {
        let seq = self.next_seq;
        let record = segment::encode(seq, payload);
        let full = |last: &Segment| last.bytes + record.len() as u64 > self.segment_bytes_max;
        if self.segments.back().is_none_or(full) {
            self.seal()?;
        }
        if self.writer.is_none() {
            self.start_segment(seq)?;
        }
        let (Some(writer), Some(last)) = (&mut self.writer, self.segments.back_mut()) else {
            return Err(failed("append to", &self.directory)(io::ErrorKind::NotFound.into()));
        };
        if let Err(error) = writer.write_all(&record) {
            // Half a record may be there: cut it off, or leave this segment alone.
            let path = last.path.clone();
            if writer.set_len(last.bytes).is_err() {
                self.writer = None;
            }
            return Err(failed("append to", &path)(error));
        }
        last.last_seq = seq;
        last.bytes += record.len() as u64;
        self.bytes += record.len() as u64;
        self.next_seq = seq + 1;
        Ok(seq)
    }

    fn start_segment(&mut self, seq: u64) -> Result<(), SpoolError> {
        let path = self.directory.join(format!("{seq:020}.{EXTENSION}"));
        let open = OpenOptions::new().append(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(failed("create", &path))?;
        let begun = file.set_len(0).and_then(|()| file.write_all(&MAGIC));
        begun.map_err(failed("write", &path))?;
        if self.segments.back().is_some_and(|last| last.path == path) {
            // Begun before, but its first record could not be written.
            self.bytes -= self.segments.pop_back().map_or(0, |empty| empty.bytes);
        }
        let bytes = MAGIC.len() as u64;
        self.bytes += bytes;
        self.segments.push_back(Segment { path, first_seq: seq, last_seq: seq, bytes });
        self.writer = Some(file);
        self.unnamed = true;
        Ok(())
    }

    /// Everything that was appended survives a power cut.
    pub(super) fn sync(&mut self) -> Result<(), SpoolError> {
        if let Some(file) = &self.writer {
            file.sync_data().map_err(failed("sync", &self.directory))?;
        }
        if self.unnamed {
            let directory = File::open(&self.directory).map_err(failed("open", &self.directory))?;
            directory.sync_all().map_err(failed("sync", &self.directory))?;
            self.unnamed = false;
        }
        Ok(())
    }

    /// Ends the last segment: synced, and not appended to any more.
    pub(super) fn seal(&mut self) -> Result<(), SpoolError> {
        match self.writer.take() {
            Some(file) => file.sync_data().map_err(failed("sync", &self.directory)),
            None => Ok(()),
        }
    }

    /// Reads the next record from `from_seq` on, past damaged ones: a gap in the numbers tells the caller.
    pub(super) fn read(&mut self, mut from_seq: u64) -> Option<Record> {
        loop {
            let segment = self.segments.iter().find(|segment| segment.last_seq >= from_seq)?;
            let (last_seq, end) = (segment.last_seq, segment.bytes);
            if self.reader.as_ref().is_none_or(|reader| reader.first_seq != segment.first_seq) {
                self.reader = File::open(&segment.path).ok().map(|file| Reader {
                    file,
                    first_seq: segment.first_seq,
                    offset: MAGIC.len() as u64,
                });
            }
            match self.reader.as_mut().map(|reader| reader.next(end, from_seq)) {
                Some(Ok(Found::Record(record))) => return Some(record),
                Some(Ok(Found::Settled | Found::Damaged)) => {}
                // The end came before the last record: the rest of the segment is unreadable.
                Some(Err(_)) | None => {
                    self.reader = None;
                    from_seq = last_seq + 1;
                }
            }
        }
    }

    /// The next read starts at the beginning of a segment again.
    pub(super) fn restart_reading(&mut self) {
        self.reader = None;
    }

    /// Whether there is a segment whose records all come before `seq`.
    pub(super) fn are_below(&self, seq: u64) -> bool {
        self.segments.front().is_some_and(|oldest| oldest.last_seq < seq)
    }

    /// Deletes the segments whose records all come before `seq`.
    pub(super) fn delete_below(&mut self, seq: u64) {
        while self.are_below(seq) {
            self.delete_oldest();
        }
    }

    /// First and last sequence number of the oldest segment, when it must go for a payload of that size to fit.
    pub(super) fn oldest_in_the_way(&self, payload_bytes: usize) -> Option<(u64, u64)> {
        let needed = record_bytes(payload_bytes) + MAGIC.len() as u64;
        let oldest = self.segments.front().filter(|_| self.bytes + needed > self.bytes_max)?;
        Some((oldest.first_seq, oldest.last_seq))
    }

    pub(super) fn delete_oldest(&mut self) {
        let Some(oldest) = self.segments.pop_front() else {
            return;
        };
        if self.segments.is_empty() {
            self.writer = None;
        }
        if self.reader.as_ref().is_some_and(|reader| reader.first_seq == oldest.first_seq) {
            self.reader = None;
        }
        self.bytes -= oldest.bytes;
        if let Err(error) = fs::remove_file(&oldest.path) {
            warn!(path = %oldest.path.display(), %error, "cannot remove a spool segment");
        }
    }

    /// Remembers on disk that everything below `seq` is settled. Failure costs only repeated records.
    pub(super) fn save_settled(&mut self, seq: u64) {
        if seq == self.settled_seq {
            return;
        }
        let (path, fresh) = (self.directory.join(SETTLED_FILE), self.directory.join("settled.new"));
        let saved = fs::write(&fresh, segment::encode(seq, &[])).and_then(|()| fs::rename(&fresh, &path));
        match saved {
            Ok(()) => self.settled_seq = seq,
            Err(error) => warn!(path = %path.display(), %error, "cannot save the position of the spool"),
        }
    }

    /// Everything below was settled when it was last saved.
    pub(super) fn settled_seq(&self) -> u64 {
        self.settled_seq
    }

    pub(super) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    pub(super) fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

enum Found {
    Record(Record),
    /// Comes before what was asked for.
    Settled,
    Damaged,
}

impl Reader {
    /// The next record before the offset `end`. An error when there is no whole record any more.
    fn next(&mut self, end: u64, from_seq: u64) -> io::Result<Found> {
        let mut header = [0; HEADER_BYTES];
        self.file.read_exact_at(&mut header, self.offset)?;
        let header = Header::decode(header).ok_or(io::ErrorKind::InvalidData)?;
        let after = self.offset + record_bytes(header.payload_bytes);
        if after > end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let payload_offset = self.offset + HEADER_BYTES as u64;
        self.offset = after;
        if header.seq < from_seq {
            return Ok(Found::Settled);
        }
        let mut payload = vec![0; header.payload_bytes];
        self.file.read_exact_at(&mut payload, payload_offset)?;
        Ok(match header.matches(&payload) {
            true => Found::Record(Record { seq: header.seq, payload }),
            false => Found::Damaged,
        })
    }
}

/// The saved position: an empty record. Anything else counts as nothing settled.
fn load_settled(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap_or_default();
    let header = bytes.as_slice().try_into().ok().and_then(Header::decode);
    header.filter(|header| header.matches(&[])).map_or(1, |header| header.seq.max(1))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    let path = path.display().to_string();
    move |source| SpoolError::Io { action, path, source }
}
