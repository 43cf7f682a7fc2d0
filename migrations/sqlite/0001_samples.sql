-- A frame of samples is one row: the values alone. What they are (metric and labels, by position)
-- is in sample_sets, once for all frames of a node that have the same columns.
CREATE TABLE sample_nodes (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE sample_sets (
    id            INTEGER PRIMARY KEY,
    node_id       INTEGER NOT NULL REFERENCES sample_nodes (id),
    columns       TEXT NOT NULL,    -- JSON: [{"name": ..., "labels": {...}}, ...]
    used_until_ms INTEGER NOT NULL, -- no sample of the set is newer than this
    UNIQUE (node_id, columns)
);

CREATE TABLE samples (
    node_id INTEGER NOT NULL REFERENCES sample_nodes (id),
    ts_ms   INTEGER NOT NULL,
    set_id  INTEGER NOT NULL REFERENCES sample_sets (id),
    data    BLOB NOT NULL,
    PRIMARY KEY (node_id, ts_ms, set_id)
) WITHOUT ROWID;
