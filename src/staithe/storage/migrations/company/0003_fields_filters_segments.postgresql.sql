CREATE TABLE contact_field (
    id BIGINT NOT NULL,
    internal_name TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    data_type TEXT COLLATE "C" NOT NULL,
    is_large BOOLEAN NOT NULL,
    display_type TEXT COLLATE "C" NOT NULL,
    update_rule TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (internal_name)
);

CREATE TABLE contact_filter (
    id BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    data_lookup_id TEXT COLLATE "C" NOT NULL,
    properties TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    executed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE contact_segment (
    id BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    data_lookup_id TEXT COLLATE "C" NOT NULL,
    properties TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    executed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
