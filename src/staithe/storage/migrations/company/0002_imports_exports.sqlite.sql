ALTER TABLE sync ADD COLUMN data_file TEXT;

ALTER TABLE sync ADD COLUMN data_records BIGINT;

ALTER TABLE sync ADD COLUMN data_bytes BIGINT;

ALTER TABLE sync ADD COLUMN data_kept_until BIGINT;

CREATE TABLE import_chunk (
    sync_id BIGINT NOT NULL,
    records_done BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    contacts BLOB NOT NULL,
    reject_counts BLOB NOT NULL,
    reject_file TEXT,
    PRIMARY KEY (sync_id, records_done)
);
