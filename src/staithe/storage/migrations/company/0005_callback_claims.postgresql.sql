ALTER TABLE sync ADD COLUMN callback_until BIGINT;

CREATE INDEX sync_by_callback ON sync (id) WHERE callback_url IS NOT NULL AND called_back_at IS NULL;
