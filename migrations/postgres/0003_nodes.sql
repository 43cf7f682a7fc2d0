-- What the hub knew last of each node: a restarted hub shows its fleet with its true age.
CREATE TABLE nodes (
    name          TEXT COLLATE "C" PRIMARY KEY,
    state         TEXT NOT NULL,
    source        TEXT NOT NULL,
    labels        TEXT NOT NULL, -- JSON object
    inventory     TEXT,          -- JSON object
    interval_ms   BIGINT NOT NULL,
    ttl_ms        BIGINT NOT NULL,
    first_seen_ms BIGINT NOT NULL,
    last_seen_ms  BIGINT NOT NULL
);
