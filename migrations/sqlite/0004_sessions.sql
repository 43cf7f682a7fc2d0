CREATE TABLE sessions (
    client_id          TEXT PRIMARY KEY,
    subject            TEXT NOT NULL,
    role               TEXT NOT NULL,
    remote_address     TEXT,
    connected_at_ms    INTEGER NOT NULL,
    disconnected_at_ms INTEGER, -- null while connected
    reconnects         INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX sessions_disconnected ON sessions (disconnected_at_ms);
