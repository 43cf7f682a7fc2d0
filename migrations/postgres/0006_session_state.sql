-- What a session remembers: subscriptions with positions, what was taken out of personal topics (JSON).
ALTER TABLE sessions ADD COLUMN state TEXT NOT NULL DEFAULT '';

-- Topics in memory, from one drain to the next start: their epoch and their messages (JSON).
CREATE TABLE topic_snapshots (
    name        TEXT COLLATE "C" PRIMARY KEY,
    epoch       TEXT NOT NULL,
    last_offset BIGINT NOT NULL,
    messages    BYTEA NOT NULL
);
