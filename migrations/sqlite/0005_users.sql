CREATE TABLE users (
    name          TEXT PRIMARY KEY,
    role          TEXT NOT NULL,
    password_hash TEXT NOT NULL, -- argon2id, PHC format
    created_at_ms INTEGER NOT NULL,
    disabled      INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Refresh tokens by their SHA-256. A family is one sign-in and all that it was rotated into.
CREATE TABLE refresh_tokens (
    hash          BLOB PRIMARY KEY,
    family        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    role          TEXT NOT NULL,
    is_user       INTEGER NOT NULL, -- 1: signed in as a row of users, 0: by a login link
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    used_at_ms    INTEGER,
    revoked_at_ms INTEGER
) WITHOUT ROWID;

CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_subject ON refresh_tokens (subject);
CREATE INDEX refresh_tokens_expires ON refresh_tokens (expires_at_ms);

-- Access tokens that were taken back before they ran out.
CREATE TABLE revoked_tokens (
    jti           TEXT PRIMARY KEY,
    expires_at_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- All access tokens of a subject that were issued before a moment.
CREATE TABLE revoked_subjects (
    subject          TEXT PRIMARY KEY,
    issued_before_ms INTEGER NOT NULL,
    expires_at_ms    INTEGER NOT NULL
) WITHOUT ROWID;
