-- Hub nodes that share this database. Times are of the database's clock, Unix milliseconds. One hub has this file: the
-- tables are here so that the schema is one, and stay empty.
CREATE TABLE hub_nodes (
    instance TEXT PRIMARY KEY,  -- one life of it
    node     TEXT NOT NULL,     -- its name
    address  TEXT NOT NULL,     -- where others reach it, host:port
    seen_at  INTEGER NOT NULL
) WITHOUT ROWID;

-- What only one of them may do at a time.
CREATE TABLE leases (
    unit       TEXT PRIMARY KEY,
    instance   TEXT NOT NULL,    -- who holds it, or held it last
    fence      INTEGER NOT NULL, -- grows with every taking
    taken_at   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL  -- from then on others may take it
) WITHOUT ROWID;
