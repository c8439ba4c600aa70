-- The inventory: stock, decided orders, and what is owed. It holds the truth.
-- Times are Unix milliseconds, money is in minor units, ids are the 16 bytes of a UUID.
-- No foreign keys: a check per row costs more than the audit that finds the same.

-- This store: one row.
CREATE TABLE store (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    store_id BLOB    NOT NULL CHECK (length(store_id) = 16),
    batches  INTEGER NOT NULL, -- Number of the last batch.
    gateway_id       TEXT,    -- Which gateway vouches for the payments; NULL before the first command that can charge.
    gateway_location TEXT,    -- Where it is, for messages.
    gateway_since    INTEGER  -- Orders decided before were paid at an earlier gateway.
) STRICT;

-- A random id (UUIDv4).
INSERT INTO store (only_row, store_id, batches) VALUES (1, unhex(
    hex(randomblob(6))
    || '4' || substr(hex(randomblob(2)), 2)
    || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2)
    || hex(randomblob(6))
), 0);

-- initial + adjusted = available + blocked + sold, always.
CREATE TABLE items (
    sku        TEXT    PRIMARY KEY COLLATE BINARY, -- Case-sensitive, ordered bytewise.
    name       TEXT    NOT NULL,
    price      INTEGER NOT NULL CHECK (price >= 0),
    initial    INTEGER NOT NULL CHECK (initial >= 0),
    available  INTEGER NOT NULL, -- Below 0 only after a correction.
    blocked    INTEGER NOT NULL CHECK (blocked >= 0),
    sold       INTEGER NOT NULL CHECK (sold >= 0),
    adjusted   INTEGER NOT NULL, -- The sum of all corrections.
    version    INTEGER NOT NULL, -- Grows by one with every change of stock.
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per decided order. Never changed: how the order ended is its row in `settlements`.
CREATE TABLE orders (
    order_id   BLOB    PRIMARY KEY CHECK (length(order_id) = 16),
    customer   TEXT,             -- Unknown to some tombstones.
    body       TEXT    NOT NULL, -- JSON: [cart hash, accepted at, decided at, place in the batch, lines]; a line is
                                 -- [sku, quantity, price, available before, stock version]. By SKU; none in a tombstone.
    hold_until INTEGER NOT NULL,
    batch_id   INTEGER           -- No batch decided a tombstone.
) STRICT, WITHOUT ROWID;

-- For the sweep: the orders of a batch share one hold.
CREATE INDEX orders_of_batch ON orders (batch_id) WHERE batch_id IS NOT NULL;

-- For the audit: no checkpoint covers tombstones.
CREATE INDEX orders_without_batch ON orders (order_id) WHERE batch_id IS NULL;

-- How an order ended; without a row it is BLOCK. The key is the guard: an order ends once. Never changed.
CREATE TABLE settlements (
    order_id   BLOB    PRIMARY KEY CHECK (length(order_id) = 16),
    state      INTEGER NOT NULL CHECK (state IN (2, 3)), -- 2 PLACED, 3 FAILED.
    reason     TEXT    CHECK ((reason IS NOT NULL) = (state = 3)),
    settled_at INTEGER           -- NULL for an order that failed when it was decided.
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
    batch_id   INTEGER PRIMARY KEY,
    decided_at INTEGER NOT NULL,
    hold_until INTEGER NOT NULL,
    orders     INTEGER NOT NULL,
    blocked    INTEGER NOT NULL, -- How many of them were blocked.
    closed     INTEGER NOT NULL CHECK (closed IN (0, 1)), -- Whether all of them are known to have ended.
    checkpoint INTEGER NOT NULL DEFAULT 0 -- Number of the checkpoint that covers its orders; 0 before one does.
) STRICT;

-- What may still be blocked, by the end of its hold.
CREATE INDEX batches_open ON batches (hold_until) WHERE closed = 0;

-- For the audit: what it has to read.
CREATE INDEX batches_uncovered ON batches (batch_id) WHERE checkpoint = 0;

-- What audits found right, so that the next one reads only what is new. One row per audit that covered more batches.
CREATE TABLE checkpoints (
    checkpoint INTEGER PRIMARY KEY, -- From 1, without gaps.
    audited_at INTEGER NOT NULL, -- When the audit began.
    orders     INTEGER NOT NULL, -- How many this one and those before it cover.
    checksum   INTEGER NOT NULL  -- Over the rows of these orders and their settlements; 64 bits, as a signed number.
) STRICT;

-- Units sold by the orders that checkpoints cover.
CREATE TABLE covered_sales (
    sku   TEXT    PRIMARY KEY COLLATE BINARY,
    units INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The outbox of refunds: written with the settlement, executed afterwards.
CREATE TABLE refunds (
    order_id    BLOB    PRIMARY KEY CHECK (length(order_id) = 16),
    amount      INTEGER NOT NULL CHECK (amount > 0),
    reason      TEXT    NOT NULL,
    recorded_at INTEGER NOT NULL,
    executed_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX refunds_due ON refunds (recorded_at) WHERE executed_at IS NULL;

-- Corrections of stock. The id makes a retry harmless.
CREATE TABLE adjustments (
    adjustment_id   BLOB    PRIMARY KEY CHECK (length(adjustment_id) = 16),
    sku             TEXT    NOT NULL COLLATE BINARY,
    units           INTEGER NOT NULL CHECK (units <> 0),
    reason          TEXT    NOT NULL,
    adjusted_at     INTEGER NOT NULL,
    available_after INTEGER NOT NULL,
    stock_version   INTEGER NOT NULL -- The item's version afterwards.
) STRICT, WITHOUT ROWID;

CREATE INDEX adjustments_of_item ON adjustments (sku, stock_version);

-- Messages that nobody can process, to be looked up.
CREATE TABLE dead_letters (
    letter_id      INTEGER PRIMARY KEY,
    topic          TEXT    NOT NULL,
    partition      INTEGER NOT NULL,
    message_offset INTEGER NOT NULL,
    order_id       BLOB,
    reason         TEXT    NOT NULL,
    detail         TEXT    NOT NULL,
    message_key    BLOB    NOT NULL,
    payload        BLOB    NOT NULL,
    recorded_at    INTEGER NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('pending', 'replayed', 'dropped')),
    -- Of a message that was cut: its length and its SHA-256.
    original_bytes  INTEGER,
    original_sha256 TEXT,
    UNIQUE (topic, partition, message_offset)
) STRICT;
