-- The ledger of the simulated gateway. All times are Unix ms, all amounts minor units.

-- This ledger: one row.
CREATE TABLE ledger (
    only_row  INTEGER PRIMARY KEY CHECK (only_row = 1),
    ledger_id BLOB NOT NULL CHECK (length(ledger_id) = 16),
    store_id  BLOB CHECK (length(store_id) = 16) -- Whose payments it holds; NULL before the first command that can charge.
) STRICT;

-- A random id (UUIDv4).
INSERT INTO ledger VALUES (1, unhex(
    hex(randomblob(6))
    || '4' || substr(hex(randomblob(2)), 2)
    || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2)
    || hex(randomblob(6))
), NULL);

-- One row per idempotency key.
CREATE TABLE charges (
    order_id BLOB PRIMARY KEY,
    customer TEXT, -- NULL for a key that was fenced before any charge came.
    amount INTEGER,
    state INTEGER NOT NULL, -- 0 open (every attempt timed out), 1 captured, 2 declined, 3 fenced.
    at INTEGER NOT NULL, -- When it came to this state.
    captures INTEGER NOT NULL,
    refunded INTEGER NOT NULL,
    refunds INTEGER NOT NULL,
    refunded_at INTEGER
) STRICT, WITHOUT ROWID;

-- For the audit: what was captured lately.
CREATE INDEX charges_captured ON charges (at) WHERE state = 1;

-- Every attempt to charge. The number of a customer's attempts decides what the next one comes to.
CREATE TABLE attempts (
    customer TEXT NOT NULL,
    number INTEGER NOT NULL, -- From 1, per customer.
    order_id BLOB NOT NULL,
    outcome INTEGER NOT NULL, -- 1 captured, 2 declined, 3 timed out, 4 captured and the answer lost.
    at INTEGER NOT NULL,
    PRIMARY KEY (customer, number)
) STRICT, WITHOUT ROWID;
