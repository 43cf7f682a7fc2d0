-- Which life of which hub node a session was connected to last; empty for a hub alone.
ALTER TABLE sessions ADD COLUMN hub TEXT NOT NULL DEFAULT '';

CREATE INDEX sessions_subject ON sessions (subject);
