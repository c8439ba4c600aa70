-- The log: one partition, number 0.
CREATE TABLE queue_messages (
    message_offset INTEGER PRIMARY KEY,
    at INTEGER NOT NULL, -- When it was published, Unix ms.
    key BLOB NOT NULL,
    payload BLOB NOT NULL
) STRICT;

-- The consumer group: how far it has come, and who consumes.
CREATE TABLE queue_group (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    committed INTEGER NOT NULL, -- The offset of the next message to process. Never goes back.
    epoch INTEGER NOT NULL, -- Grows with every change of the owner.
    owner BLOB, -- The member that consumes, a UUID.
    lease_until INTEGER NOT NULL -- Until when, Unix ms.
) STRICT;

INSERT INTO queue_group VALUES (0, 0, 0, NULL, 0);

-- The dead-letter topic.
CREATE TABLE queue_dead_letters (
    source_partition INTEGER NOT NULL,
    source_offset INTEGER NOT NULL,
    reason TEXT NOT NULL,
    key BLOB NOT NULL,
    payload BLOB NOT NULL,
    at INTEGER NOT NULL, -- When it was set aside, Unix ms.
    original_bytes INTEGER, -- Of a message that was cut: its length,
    original_sha256 TEXT, -- and its SHA-256.
    PRIMARY KEY (source_partition, source_offset)
) STRICT;
