"""Layout of a store: its tables in SQL, what each column holds, and how rows get in."""

from __future__ import annotations

APPLICATION_ID = 0x61627363
"""`absc`: by it a file says that it is a store of this package."""
FORMAT = 1

TABLES = """\
CREATE TABLE study (            -- one row
  name TEXT NOT NULL,
  stated TEXT NOT NULL,         -- the study as JSON
  digest TEXT NOT NULL,         -- SHA-256 of runs and cases
  versions TEXT NOT NULL        -- JSON: versions that determine the answers
);
CREATE TABLE runs (             -- what is to be solved, one row per run; never changed
  run INTEGER PRIMARY KEY,      -- from 1
  case_name TEXT NOT NULL,      -- before it is changed
  variant TEXT NOT NULL,        -- name of a list of changes, or ''
  changes TEXT NOT NULL,        -- JSON: all changes, as in --set
  wanted_gap REAL,              -- NULL: the case's own
  time_limit REAL,              -- seconds; NULL: none
  threads INTEGER NOT NULL,
  solver TEXT NOT NULL,         -- abscopt, or one that the one MILP is handed to
  method TEXT NOT NULL,         -- of abscopt
  seed INTEGER NOT NULL
);
CREATE TABLE settings (         -- values of the keys of grid and sample, one row per run and key
  run INTEGER NOT NULL REFERENCES runs,
  key TEXT NOT NULL,            -- as in --set
  value TEXT NOT NULL,          -- JSON
  number REAL,                  -- the value where it is a number
  PRIMARY KEY (run, key)
) WITHOUT ROWID;
CREATE TABLE results (          -- one row per finished run
  run INTEGER PRIMARY KEY REFERENCES runs,
  status TEXT NOT NULL,         -- optimal, feasible, infeasible, unknown; refused, failed
  objective REAL,               -- judged; objective, bound, gap, requested_gap in `unit`
  bound REAL,                   -- proved: no schedule of the case is better
  gap REAL,
  unit TEXT,
  requested_gap REAL,
  standard_objective REAL,      -- of the case's standard regimen
  standard_keeps_limits INTEGER,
  nodes INTEGER,
  columns INTEGER,
  plans INTEGER,
  proved_by TEXT,
  instance_digest TEXT,         -- SHA-256 of the case as it was solved
  result_digest TEXT,           -- SHA-256 of the document, times excepted
  message TEXT NOT NULL,        -- why there is no answer
  seconds REAL,                 -- wall time
  cpu_seconds REAL,
  host TEXT,                    -- machine that solved it
  finished TEXT                 -- when its row was written, UTC
);
CREATE TABLE lesions (          -- one row per run with an answer and lesion
  run INTEGER NOT NULL REFERENCES results,
  lesion TEXT NOT NULL,
  technique TEXT NOT NULL,
  fractions INTEGER NOT NULL,
  dose_gy REAL NOT NULL,
  bed_gy REAL NOT NULL,
  log_burden REAL NOT NULL,     -- at the last horizon
  control_probability REAL NOT NULL,  -- at the last horizon
  conceded INTEGER NOT NULL,    -- 1: given up by the objective
  PRIMARY KEY (run, lesion)
) WITHOUT ROWID;
CREATE TABLE limits (           -- one row per run with an answer and limit
  run INTEGER NOT NULL REFERENCES results,
  limit_name TEXT NOT NULL,
  kind TEXT NOT NULL,
  value REAL,                   -- load; NULL beyond what the limit's table covers
  cap REAL NOT NULL,            -- value and cap in `unit`
  unit TEXT NOT NULL,
  use REAL,                     -- part of the allowance, 1 at the limit
  kept INTEGER NOT NULL,
  cost REAL NOT NULL,           -- what a soft limit takes off the objective
  PRIMARY KEY (run, limit_name)
) WITHOUT ROWID;
CREATE TABLE documents (        -- one row per run with an answer or a proof
  run INTEGER PRIMARY KEY REFERENCES results,
  document BLOB NOT NULL        -- what `solve --json` prints, compressed by zlib
);
CREATE VIEW overview AS SELECT * FROM runs LEFT JOIN results USING (run)
"""


def inserted(table: str, columns: list[str]) -> str:
    """The statement that inserts one row, values by name."""
    values = ", ".join(f":{column}" for column in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"
