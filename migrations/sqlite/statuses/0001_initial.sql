-- The present status of each order. All times are Unix ms.
CREATE TABLE statuses (
    order_id BLOB PRIMARY KEY,
    status INTEGER NOT NULL, -- A code, 1 to 7.
    reason TEXT, -- Why it failed.
    cart_hash BLOB, -- Which cart the id stands for.
    at INTEGER NOT NULL, -- When it came to this status.
    expires_at INTEGER NOT NULL, -- When the entry counts as missing.
    history BLOB NOT NULL -- Per change, latest first: 1 byte code, 8 bytes time, big-endian; then zeros, so that rows keep their size.
) STRICT, WITHOUT ROWID;

-- What has changed in the last seconds, a row per batch, so that other processes can wake those who wait.
CREATE TABLE status_changes (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    changes BLOB NOT NULL -- Per change: 16 bytes order id, 1 byte code.
) STRICT;

-- Committed stock, as last seen by whoever changed or read it.
CREATE TABLE stock_cache (
    sku TEXT PRIMARY KEY,
    available INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    sold INTEGER NOT NULL,
    version INTEGER NOT NULL,
    cached_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
