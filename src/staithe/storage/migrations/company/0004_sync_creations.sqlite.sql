CREATE TABLE sync_creation (
    sync_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (sync_id)
);

CREATE INDEX sync_creation_by_time ON sync_creation (created_at);
