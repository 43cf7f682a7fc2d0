-- The log of the topics that are kept in the store. The head of a topic outlives its messages,
-- so that trimming never makes an offset appear twice.
CREATE TABLE topics (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        TEXT COLLATE "C" NOT NULL UNIQUE,
    epoch       TEXT NOT NULL,
    last_offset BIGINT NOT NULL
) WITH (fillfactor = 50); -- every message moves a head: there is room for that beside it

CREATE TABLE events (
    seq      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic_id BIGINT NOT NULL REFERENCES topics (id),
    epoch    TEXT NOT NULL,
    "offset" BIGINT NOT NULL,
    id       TEXT NOT NULL,
    ts_ms    BIGINT NOT NULL,
    "key"    TEXT,
    priority TEXT NOT NULL,
    kind     TEXT NOT NULL,
    payload  BYTEA NOT NULL,
    UNIQUE (topic_id, epoch, "offset")
);

-- Newest first within a topic.
CREATE INDEX events_topic ON events (topic_id, seq);
