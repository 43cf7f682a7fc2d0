-- Load tests of the Reliability Lab, those that are over and the one that runs.
CREATE TABLE load_test_runs (
    id            TEXT COLLATE "C" PRIMARY KEY, -- UUID version 7, so that ids are in order of their starts
    name          TEXT NOT NULL,
    scenario      TEXT NOT NULL,
    status        TEXT NOT NULL,    -- running, completed, failed or cancelled
    started_by    TEXT NOT NULL,
    started_at_ms BIGINT NOT NULL,
    ended_at_ms   BIGINT,
    failure       TEXT,
    figures       TEXT NOT NULL,    -- what was measured, JSON
    detail        TEXT NOT NULL     -- the same by phase and by bucket, JSON; not read for lists
);
