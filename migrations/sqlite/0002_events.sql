-- The log of the topics that are kept in the store. The head of a topic outlives its messages,
-- so that trimming never makes an offset appear twice.
CREATE TABLE topics (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    epoch       TEXT NOT NULL,
    last_offset INTEGER NOT NULL
);

CREATE TABLE events (
    seq      INTEGER PRIMARY KEY,
    topic_id INTEGER NOT NULL REFERENCES topics (id),
    epoch    TEXT NOT NULL,
    "offset" INTEGER NOT NULL,
    id       TEXT NOT NULL,
    ts_ms    INTEGER NOT NULL,
    "key"    TEXT,
    priority TEXT NOT NULL,
    kind     TEXT NOT NULL,
    payload  BLOB NOT NULL,
    UNIQUE (topic_id, epoch, "offset")
);

-- Newest first within a topic: every index ends in the row's seq.
CREATE INDEX events_topic ON events (topic_id);
