-- Shared state: documents, and the newest write to each of their keys. `announced` is the version up to
-- which the topic of the document has every write.
CREATE TABLE documents (
    id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           TEXT COLLATE "C" NOT NULL UNIQUE,
    version        BIGINT NOT NULL,
    announced      BIGINT NOT NULL,
    conflicts_won  BIGINT NOT NULL,
    conflicts_lost BIGINT NOT NULL,
    updated_at_ms  BIGINT NOT NULL
);

CREATE TABLE document_entries (
    document_id BIGINT NOT NULL REFERENCES documents (id),
    "key"       TEXT COLLATE "C" NOT NULL,
    value       TEXT, -- JSON; null: deleted
    version     BIGINT NOT NULL,
    time_steps  BIGINT NOT NULL, -- hybrid time: a million steps a millisecond since 1970
    writer      TEXT NOT NULL,
    seq         BIGINT NOT NULL, -- the document's version that this write made
    PRIMARY KEY (document_id, "key")
);

CREATE INDEX documents_unannounced ON documents (name) WHERE announced < version;
