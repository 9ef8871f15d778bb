CREATE TABLE company (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name_key)
);

CREATE TABLE pending (
    company_id INTEGER NOT NULL,
    hints BIGINT NOT NULL,
    PRIMARY KEY (company_id)
);

CREATE TABLE user_account (
    id INTEGER NOT NULL,
    company_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (company_id, name_key)
);
