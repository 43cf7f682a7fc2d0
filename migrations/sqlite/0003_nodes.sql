-- What the hub knew last of each node: a restarted hub shows its fleet with its true age.
CREATE TABLE nodes (
    name          TEXT PRIMARY KEY,
    state         TEXT NOT NULL,
    source        TEXT NOT NULL,
    labels        TEXT NOT NULL, -- JSON object
    inventory     TEXT,          -- JSON object
    interval_ms   INTEGER NOT NULL,
    ttl_ms        INTEGER NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    last_seen_ms  INTEGER NOT NULL
) WITHOUT ROWID;
