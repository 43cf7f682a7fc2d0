-- Alerts: rules and the state of their evaluation, alerts with their history, and what holds alerts back.
CREATE TABLE alert_rules (
    id            TEXT COLLATE "C" PRIMARY KEY,
    version       BIGINT NOT NULL, -- how often it was written
    definition    TEXT NOT NULL,   -- JSON
    enabled       BOOLEAN NOT NULL,
    created_at_ms BIGINT NOT NULL,
    created_by    TEXT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    updated_by    TEXT NOT NULL
);

-- What a rule's evaluation stands at, as the evaluation writes it; apart, because it is large and often written.
CREATE TABLE alert_rule_states (
    rule_id     TEXT COLLATE "C" PRIMARY KEY REFERENCES alert_rules (id) ON DELETE CASCADE,
    saved_at_ms BIGINT NOT NULL,
    state       BYTEA NOT NULL
);

CREATE TABLE alerts (
    id                 TEXT COLLATE "C" PRIMARY KEY, -- UUID version 7
    version            BIGINT NOT NULL, -- grows with each write: an older one is refused
    fingerprint        TEXT NOT NULL,
    rule_id            TEXT,            -- null: posted; a rule may be gone
    rule_name          TEXT,
    state              TEXT COLLATE "C" NOT NULL, -- pending, firing, acknowledged, suppressed or resolved
    severity           BIGINT NOT NULL, -- 0 info, 1 warning, 2 error, 3 critical
    score              BIGINT NOT NULL,
    service            TEXT,
    title              TEXT NOT NULL,
    message            TEXT NOT NULL,
    labels             TEXT NOT NULL,   -- JSON object of texts
    started_at_ms      BIGINT NOT NULL,
    fired_at_ms        BIGINT,          -- null and resolved: it never came to more than pending
    acknowledged_at_ms BIGINT,
    resolved_at_ms     BIGINT,
    resolved_by        TEXT,
    detail             TEXT NOT NULL    -- what is not searched for, JSON
);

CREATE INDEX alerts_started ON alerts (started_at_ms, id);
-- Most urgent first, worst first; the newest of those first.
CREATE INDEX alerts_score ON alerts (((score << 48) + started_at_ms), id);
CREATE INDEX alerts_severity ON alerts (((severity << 48) + started_at_ms), id);
CREATE INDEX alerts_service ON alerts (service, started_at_ms);
CREATE INDEX alerts_rule ON alerts (rule_id, started_at_ms);
CREATE INDEX alerts_fingerprint ON alerts (fingerprint, started_at_ms);
CREATE INDEX alerts_open ON alerts (started_at_ms, id) WHERE state <> 'resolved';
CREATE INDEX alerts_resolved ON alerts (resolved_at_ms) WHERE state = 'resolved';
CREATE INDEX alerts_fired ON alerts (fired_at_ms);

-- Every step of every alert. `version` is the alert's, so that no step is kept twice.
CREATE TABLE alert_state_history (
    alert_id   TEXT COLLATE "C" NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    version    BIGINT NOT NULL,
    at_ms      BIGINT NOT NULL,
    from_state TEXT,             -- null: the alert was opened
    to_state   TEXT NOT NULL,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    value      DOUBLE PRECISION,
    comment    TEXT,
    announced  BOOLEAN NOT NULL, -- whether it is published and decided on
    PRIMARY KEY (alert_id, version)
);

CREATE INDEX alert_state_history_unannounced ON alert_state_history (at_ms) WHERE NOT announced;

-- What the operators lay down about alerts, by kind: suppression, inhibition, escalation.
CREATE TABLE alert_policies (
    kind          TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    version       BIGINT NOT NULL,
    body          TEXT NOT NULL, -- JSON
    created_at_ms BIGINT NOT NULL,
    created_by    TEXT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    updated_by    TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);
