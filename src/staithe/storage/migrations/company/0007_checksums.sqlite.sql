ALTER TABLE upload ADD COLUMN checksums BLOB;
ALTER TABLE sync ADD COLUMN reject_checksums BLOB;
ALTER TABLE sync ADD COLUMN data_checksums BLOB;
ALTER TABLE import_chunk ADD COLUMN reject_checksums BLOB;
