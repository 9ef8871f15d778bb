ALTER TABLE sync ADD COLUMN data_file TEXT COLLATE "C";

ALTER TABLE sync ADD COLUMN data_records BIGINT;

ALTER TABLE sync ADD COLUMN data_bytes BIGINT;

ALTER TABLE sync ADD COLUMN data_kept_until BIGINT;

CREATE TABLE import_chunk (
    sync_id BIGINT NOT NULL,
    records_done BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    contacts BYTEA NOT NULL,
    reject_counts BYTEA NOT NULL,
    reject_file TEXT COLLATE "C",
    PRIMARY KEY (sync_id, records_done)
);
