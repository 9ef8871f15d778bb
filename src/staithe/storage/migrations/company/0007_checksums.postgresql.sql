ALTER TABLE upload ADD COLUMN checksums BYTEA;
ALTER TABLE sync ADD COLUMN reject_checksums BYTEA;
ALTER TABLE sync ADD COLUMN data_checksums BYTEA;
ALTER TABLE import_chunk ADD COLUMN reject_checksums BYTEA;
