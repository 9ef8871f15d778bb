ALTER TABLE oauth_token ADD COLUMN salt BLOB;
