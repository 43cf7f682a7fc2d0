-- Alerts that were taken while their breaker was open, until they are published.
CREATE TABLE held_alerts (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- order of arrival; never given twice
    topic      TEXT NOT NULL,
    message    BYTEA NOT NULL, -- what is published, JSON
    cause      TEXT,           -- correlation id of the request
    held_at_ms BIGINT NOT NULL
);
