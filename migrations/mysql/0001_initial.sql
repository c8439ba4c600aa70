-- The inventory: stock, decided orders, and what is owed. It holds the truth. Runs on MySQL and on MariaDB.
-- Times are Unix milliseconds, money is in minor units, ids are the 16 bytes of a UUID.
-- No foreign keys: their checks lock gaps, and cost more than the audit that finds the same.
-- Each statement can be run again: DDL commits by itself, so a migration may stop halfway.

-- This store: one row.
CREATE TABLE IF NOT EXISTS store (
    only_row TINYINT    NOT NULL PRIMARY KEY CHECK (only_row = 1),
    store_id BINARY(16) NOT NULL,
    gateway_id       VARCHAR(500),  -- Which gateway vouches for the payments; NULL before the first command that can charge.
    gateway_location VARCHAR(1000), -- Where it is, for messages.
    gateway_since    BIGINT         -- Orders decided before were paid at an earlier gateway.
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- A random id (UUIDv4).
INSERT INTO store (only_row, store_id) VALUES (1, UNHEX(INSERT(INSERT(HEX(RANDOM_BYTES(16)), 13, 1, '4'), 17, 1, '8')))
    ON DUPLICATE KEY UPDATE only_row = 1;

-- initial + adjusted = available + blocked + sold, always. `sales` tells which blocked units are sold by now.
CREATE TABLE IF NOT EXISTS items (
    sku        VARBINARY(64) NOT NULL PRIMARY KEY, -- Case-sensitive, ordered bytewise.
    name       VARCHAR(200)  NOT NULL,
    price      BIGINT        NOT NULL CHECK (price >= 0),
    initial    BIGINT        NOT NULL CHECK (initial >= 0),
    available  BIGINT        NOT NULL, -- Below 0 only after a correction.
    blocked    BIGINT        NOT NULL CHECK (blocked >= 0),
    sold       BIGINT        NOT NULL CHECK (sold >= 0),
    adjusted   BIGINT        NOT NULL, -- The sum of all corrections.
    version    BIGINT        NOT NULL, -- Grows by one with every change of stock.
    created_at BIGINT        NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- One row per decided order. Never changed: how the order ended is its row in `settlements`.
CREATE TABLE IF NOT EXISTS orders (
    order_id   BINARY(16) NOT NULL PRIMARY KEY,
    customer   VARCHAR(64),          -- Unknown to some tombstones.
    body       MEDIUMTEXT NOT NULL,  -- JSON: [cart hash, accepted at, decided at, place in the batch, lines]; a line is
                                     -- [sku, quantity, price, available before, stock version]. By SKU; none in a tombstone.
    hold_until BIGINT     NOT NULL,
    batch_id   BIGINT,               -- No batch decided a tombstone.
    -- For the sweep: the orders of a batch share one hold.
    KEY orders_of_batch (batch_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- How an order ended; without a row it is BLOCK. The key is the guard: an order ends once. Never changed.
CREATE TABLE IF NOT EXISTS settlements (
    order_id   BINARY(16) NOT NULL PRIMARY KEY,
    state      TINYINT    NOT NULL CHECK (state IN (2, 3)), -- 2 PLACED, 3 FAILED.
    reason     VARCHAR(32),
    settled_at BIGINT,               -- NULL for an order that failed when it was decided.
    CHECK ((reason IS NOT NULL) = (state = 3))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Units of confirmed orders that `items` still counts as blocked. Confirming an order appends here and locks no item;
-- whoever next holds an item's lock moves its units from blocked to sold, and deletes the row in the same transaction.
CREATE TABLE IF NOT EXISTS sales (
    sale_id BIGINT     NOT NULL AUTO_INCREMENT PRIMARY KEY,
    units   MEDIUMTEXT NOT NULL, -- JSON: [[sku, units, changes of stock], ...].
    checked TINYINT    NOT NULL  -- 1; whoever inserts the row gives NULL, which is refused, where a condition does not hold.
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS batches (
    batch_id   BIGINT  NOT NULL AUTO_INCREMENT PRIMARY KEY,
    decided_at BIGINT  NOT NULL,
    hold_until BIGINT  NOT NULL,
    orders     BIGINT  NOT NULL,
    blocked    BIGINT  NOT NULL, -- How many of them were blocked.
    closed     TINYINT NOT NULL, -- Whether all of them are known to have ended.
    checkpoint BIGINT  NOT NULL DEFAULT 0, -- Number of the checkpoint that covers its orders; 0 before one does.
    -- What may still be blocked, by the end of its hold.
    KEY batches_open (closed, hold_until),
    -- For the audit: what it has to read.
    KEY batches_uncovered (checkpoint)
) ENGINE = InnoDB;

-- What audits found right, so that the next one reads only what is new. One row per audit that covered more batches.
CREATE TABLE IF NOT EXISTS checkpoints (
    checkpoint BIGINT          NOT NULL PRIMARY KEY, -- From 1, without gaps.
    audited_at BIGINT          NOT NULL, -- When the audit began.
    orders     BIGINT          NOT NULL, -- How many this one and those before it cover.
    checksum   BIGINT UNSIGNED NOT NULL  -- Over the rows of these orders and their settlements.
) ENGINE = InnoDB;

-- Units sold by the orders that checkpoints cover.
CREATE TABLE IF NOT EXISTS covered_sales (
    sku   VARBINARY(64) NOT NULL PRIMARY KEY,
    units BIGINT        NOT NULL
) ENGINE = InnoDB;

-- The outbox of refunds: written with the settlement, executed afterwards.
CREATE TABLE IF NOT EXISTS refunds (
    order_id    BINARY(16)  NOT NULL PRIMARY KEY,
    amount      BIGINT      NOT NULL CHECK (amount > 0),
    reason      VARCHAR(32) NOT NULL,
    recorded_at BIGINT      NOT NULL,
    executed_at BIGINT,
    -- For the sweep: those not executed, oldest first.
    KEY refunds_due (executed_at, recorded_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Corrections of stock. The id makes a retry harmless.
CREATE TABLE IF NOT EXISTS adjustments (
    adjustment_id   BINARY(16)    NOT NULL PRIMARY KEY,
    sku             VARBINARY(64) NOT NULL,
    units           BIGINT        NOT NULL CHECK (units <> 0),
    reason          TEXT          NOT NULL,
    adjusted_at     BIGINT        NOT NULL,
    available_after BIGINT        NOT NULL,
    stock_version   BIGINT        NOT NULL, -- The item's version afterwards.
    -- For the list of an item's corrections, latest first, and for the audit.
    KEY adjustments_of_item (sku, stock_version)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Messages that nobody can process, to be looked up.
CREATE TABLE IF NOT EXISTS dead_letters (
    letter_id      BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    topic          VARBINARY(255) NOT NULL,
    log_partition  BIGINT         NOT NULL,
    message_offset BIGINT         NOT NULL,
    order_id       BINARY(16),
    reason         VARCHAR(32)    NOT NULL,
    detail         TEXT           NOT NULL,
    message_key    LONGBLOB       NOT NULL,
    payload        LONGBLOB       NOT NULL,
    recorded_at    BIGINT         NOT NULL,
    state          VARCHAR(16)    NOT NULL CHECK (state IN ('pending', 'replayed', 'dropped')),
    -- Of a message that was cut: its length and its SHA-256.
    original_bytes  BIGINT,
    original_sha256 CHAR(64),
    UNIQUE KEY dead_letters_place (topic, log_partition, message_offset)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
