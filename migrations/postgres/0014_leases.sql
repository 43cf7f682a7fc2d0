-- Hub nodes that share this database. Times are of the database's clock, Unix milliseconds.
CREATE TABLE hub_nodes (
    instance TEXT COLLATE "C" PRIMARY KEY, -- one life of it
    node     TEXT NOT NULL,                -- its name
    address  TEXT NOT NULL,                -- where others reach it, host:port
    seen_at  BIGINT NOT NULL
);

-- What only one of them may do at a time.
CREATE TABLE leases (
    unit       TEXT COLLATE "C" PRIMARY KEY,
    instance   TEXT NOT NULL,   -- who holds it, or held it last
    fence      BIGINT NOT NULL, -- grows with every taking
    taken_at   BIGINT NOT NULL,
    expires_at BIGINT NOT NULL  -- from then on others may take it
);
