CREATE TABLE contact_field (
    id INTEGER NOT NULL,
    internal_name TEXT NOT NULL,
    name TEXT NOT NULL,
    data_type TEXT NOT NULL,
    is_large BOOLEAN NOT NULL,
    display_type TEXT NOT NULL,
    update_rule TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (internal_name)
);

CREATE TABLE contact_filter (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    data_lookup_id TEXT NOT NULL,
    properties TEXT NOT NULL,
    size BIGINT NOT NULL,
    executed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE contact_segment (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    data_lookup_id TEXT NOT NULL,
    properties TEXT NOT NULL,
    size BIGINT NOT NULL,
    executed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (id)
);
