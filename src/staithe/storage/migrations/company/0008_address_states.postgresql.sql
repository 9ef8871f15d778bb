CREATE TABLE address_state (
    email_key TEXT COLLATE "C" NOT NULL,
    set_id BIGINT NOT NULL,
    PRIMARY KEY (email_key, set_id)
);

CREATE TABLE address_state_change (
    email_key TEXT COLLATE "C" NOT NULL,
    change_id BIGINT NOT NULL,
    set_id BIGINT NOT NULL,
    is_added BOOLEAN NOT NULL,
    PRIMARY KEY (email_key, change_id, set_id)
);

ALTER TABLE import_chunk ADD COLUMN ignored BYTEA;
