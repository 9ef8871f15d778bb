ALTER TABLE company ADD COLUMN deleted_at BIGINT;

ALTER TABLE company ADD COLUMN erased_at BIGINT;

ALTER TABLE oauth_client ADD COLUMN old_secret_hash BLOB;

ALTER TABLE oauth_client ADD COLUMN old_secret_ends_at BIGINT;
