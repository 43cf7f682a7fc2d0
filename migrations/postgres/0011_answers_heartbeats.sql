-- Answers to requests that had a key, for those that are sent again.
CREATE TABLE kept_answers (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- order of arrival; the oldest leave
    request    BYTEA NOT NULL UNIQUE, -- digest of who asked, what for and the key
    content    BYTEA NOT NULL,        -- digest of the body that came with it
    status     BIGINT NOT NULL,
    headers    TEXT NOT NULL,         -- JSON object of texts
    answer     BYTEA,                 -- null: too long to be kept
    kept_at_ms BIGINT NOT NULL
);

CREATE INDEX kept_answers_age ON kept_answers (kept_at_ms);

-- Whoever is to give a sign of life again and again.
CREATE TABLE heartbeats (
    name          TEXT COLLATE "C" PRIMARY KEY,
    interval_ms   BIGINT NOT NULL, -- so often
    grace_ms      BIGINT NOT NULL, -- and so much later is still fine
    beaten_at_ms  BIGINT NOT NULL, -- the newest one
    beats         BIGINT NOT NULL,
    severity      BIGINT NOT NULL, -- of the alert: 0 info, 1 warning, 2 error, 3 critical
    alert_id      TEXT,            -- while it stays away
    created_at_ms BIGINT NOT NULL,
    created_by    TEXT NOT NULL
);
