-- A frame of samples is one row: the values alone. What they are (metric and labels, by position)
-- is in sample_sets, once for all frames of a node that have the same columns.
CREATE TABLE sample_nodes (
    id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE sample_sets (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node_id       BIGINT NOT NULL REFERENCES sample_nodes (id),
    columns       TEXT NOT NULL,  -- JSON: [{"name": ..., "labels": {...}}, ...]
    used_until_ms BIGINT NOT NULL -- no sample of the set is newer than this
);

-- Not unique: columns are longer than what an index takes, and two sets of the same columns harm nobody.
CREATE INDEX sample_sets_node ON sample_sets (node_id);

-- A table for each day (of 1970 and later, in UTC), which the writer makes ahead; retention drops them.
CREATE TABLE samples (
    node_id BIGINT NOT NULL,
    ts_ms   BIGINT NOT NULL,
    set_id  BIGINT NOT NULL,
    data    BYTEA NOT NULL,
    PRIMARY KEY (node_id, ts_ms, set_id)
) PARTITION BY RANGE (ts_ms);

-- One row, which is written to see whether writing works.
CREATE TABLE probes (
    at_ms BIGINT NOT NULL
);

INSERT INTO probes VALUES (0);
