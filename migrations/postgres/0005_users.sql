CREATE TABLE users (
    name          TEXT COLLATE "C" PRIMARY KEY,
    role          TEXT NOT NULL,
    password_hash TEXT NOT NULL, -- argon2id, PHC format
    created_at_ms BIGINT NOT NULL,
    disabled      BOOLEAN NOT NULL DEFAULT FALSE
);

-- Refresh tokens by their SHA-256. A family is one sign-in and all that it was rotated into.
CREATE TABLE refresh_tokens (
    hash          BYTEA PRIMARY KEY,
    family        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    role          TEXT NOT NULL,
    is_user       BOOLEAN NOT NULL, -- true: signed in as a row of users, false: by a login link
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    used_at_ms    BIGINT,
    revoked_at_ms BIGINT
);

CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_subject ON refresh_tokens (subject);
CREATE INDEX refresh_tokens_expires ON refresh_tokens (expires_at_ms);

-- Access tokens that were taken back before they ran out.
CREATE TABLE revoked_tokens (
    jti           TEXT COLLATE "C" PRIMARY KEY,
    expires_at_ms BIGINT NOT NULL
);

-- All access tokens of a subject that were issued before a moment.
CREATE TABLE revoked_subjects (
    subject          TEXT COLLATE "C" PRIMARY KEY,
    issued_before_ms BIGINT NOT NULL,
    expires_at_ms    BIGINT NOT NULL
);
