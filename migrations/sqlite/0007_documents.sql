-- Shared state: documents, and the newest write to each of their keys. `announced` is the version up to
-- which the topic of the document has every write.
CREATE TABLE documents (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    version        INTEGER NOT NULL,
    announced      INTEGER NOT NULL,
    conflicts_won  INTEGER NOT NULL,
    conflicts_lost INTEGER NOT NULL,
    updated_at_ms  INTEGER NOT NULL
);

CREATE TABLE document_entries (
    document_id INTEGER NOT NULL REFERENCES documents (id),
    "key"       TEXT NOT NULL,
    value       TEXT, -- JSON; null: deleted
    version     INTEGER NOT NULL,
    time_steps  INTEGER NOT NULL, -- hybrid time: a million steps a millisecond since 1970
    writer      TEXT NOT NULL,
    seq         INTEGER NOT NULL, -- the document's version that this write made
    PRIMARY KEY (document_id, "key")
) WITHOUT ROWID;

CREATE INDEX documents_unannounced ON documents (name) WHERE announced < version;
