ALTER TABLE import_chunk ADD COLUMN american_dates BLOB;
