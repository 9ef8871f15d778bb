ALTER TABLE company ADD COLUMN restore_began_at BIGINT;
