-- Which life of which hub node hears a node; empty for a hub alone. And what became of the node lately.
ALTER TABLE nodes ADD COLUMN hub TEXT NOT NULL DEFAULT '';

ALTER TABLE nodes ADD COLUMN transitions TEXT NOT NULL DEFAULT '[]'; -- JSON array
