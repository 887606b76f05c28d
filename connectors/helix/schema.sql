-- The Helix source's own state: which files were taken, what is known from them, whose row is whose.
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- The ledger of files: one row a profile and content. `row`: the last row of it that is in `records`.
CREATE TABLE IF NOT EXISTS files (
  id INTEGER PRIMARY KEY,
  profile TEXT NOT NULL,
  name TEXT NOT NULL,
  sha TEXT NOT NULL,
  size INTEGER NOT NULL,
  written REAL NOT NULL,              -- mtime at the source
  state TEXT NOT NULL,                -- taken, done, failed
  row INTEGER NOT NULL DEFAULT 0,
  rows INTEGER NOT NULL DEFAULT 0,
  bad INTEGER NOT NULL DEFAULT 0,
  whole INTEGER NOT NULL DEFAULT 1,
  reason TEXT NOT NULL DEFAULT '',
  taken_at TEXT NOT NULL,
  done_at TEXT,
  copy TEXT NOT NULL DEFAULT ''       -- in the inbox, '' once pruned
);
CREATE INDEX IF NOT EXISTS files_by_content ON files (profile, sha);
CREATE INDEX IF NOT EXISTS files_by_state ON files (state, profile);

-- What stands in the folders and has been dealt with.
CREATE TABLE IF NOT EXISTS seen (
  profile TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
  PRIMARY KEY (profile, name)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS records (
  kind TEXT NOT NULL, id TEXT NOT NULL,
  seq INTEGER NOT NULL,               -- grows with every change of any record
  at REAL,                            -- start or creation, seconds of the epoch
  file INTEGER NOT NULL,              -- the last file that gave it
  gone INTEGER NOT NULL DEFAULT 0,
  digest BLOB NOT NULL,
  body BLOB NOT NULL,                 -- sealed
  PRIMARY KEY (kind, id)
);
CREATE INDEX IF NOT EXISTS records_by_seq ON records (seq);
CREATE INDEX IF NOT EXISTS records_by_time ON records (kind, at);

-- By what a record is known. The id stays what it was when the record was first seen, whatever is learnt later.
CREATE TABLE IF NOT EXISTS aliases (
  kind TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (kind, key, id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS parked (
  ref TEXT PRIMARY KEY, kind TEXT NOT NULL, seq INTEGER NOT NULL, file INTEGER NOT NULL,
  profile TEXT NOT NULL, name TEXT NOT NULL, line INTEGER NOT NULL, reason TEXT NOT NULL,
  released INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS parked_by_seq ON parked (seq);
CREATE INDEX IF NOT EXISTS parked_by_file ON parked (profile, name);

-- Names that look wrong: where they stand, never what they are.
CREATE TABLE IF NOT EXISTS doubts (
  profile TEXT NOT NULL, name TEXT NOT NULL, line INTEGER NOT NULL, why TEXT NOT NULL,
  PRIMARY KEY (profile, name, line)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS warnings (
  topic TEXT PRIMARY KEY, text TEXT NOT NULL, since TEXT NOT NULL
) WITHOUT ROWID;
