ALTER TABLE oauth_client ADD COLUMN redirect_prefixes TEXT COLLATE "C";
