CREATE TABLE sessions (
    client_id          TEXT COLLATE "C" PRIMARY KEY,
    subject            TEXT NOT NULL,
    role               TEXT NOT NULL,
    remote_address     TEXT,
    connected_at_ms    BIGINT NOT NULL,
    disconnected_at_ms BIGINT, -- null while connected
    reconnects         BIGINT NOT NULL
);

CREATE INDEX sessions_disconnected ON sessions (disconnected_at_ms);
