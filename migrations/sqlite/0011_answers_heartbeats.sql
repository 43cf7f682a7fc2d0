-- Answers to requests that had a key, for those that are sent again.
CREATE TABLE kept_answers (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT, -- order of arrival; the oldest leave
    request    BLOB NOT NULL UNIQUE, -- digest of who asked, what for and the key
    content    BLOB NOT NULL,        -- digest of the body that came with it
    status     INTEGER NOT NULL,
    headers    TEXT NOT NULL,        -- JSON object of texts
    answer     BLOB,                 -- null: too long to be kept
    kept_at_ms INTEGER NOT NULL
);

CREATE INDEX kept_answers_age ON kept_answers (kept_at_ms);

-- Whoever is to give a sign of life again and again.
CREATE TABLE heartbeats (
    name          TEXT PRIMARY KEY,
    interval_ms   INTEGER NOT NULL, -- so often
    grace_ms      INTEGER NOT NULL, -- and so much later is still fine
    beaten_at_ms  INTEGER NOT NULL, -- the newest one
    beats         INTEGER NOT NULL,
    severity      INTEGER NOT NULL, -- of the alert: 0 info, 1 warning, 2 error, 3 critical
    alert_id      TEXT,             -- while it stays away
    created_at_ms INTEGER NOT NULL,
    created_by    TEXT NOT NULL
) WITHOUT ROWID;
