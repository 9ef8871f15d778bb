CREATE TABLE oauth_client (
    id INTEGER NOT NULL,
    company_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    identifier TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    redirect_uris TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (company_id, name_key),
    UNIQUE (identifier)
);

CREATE TABLE oauth_grant (
    id INTEGER NOT NULL,
    client_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    user_mark BLOB NOT NULL,
    redirect_uri TEXT,
    challenge TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX oauth_grant_by_client ON oauth_grant (client_id);

CREATE TABLE oauth_token (
    token_hash BLOB NOT NULL,
    kind TEXT NOT NULL,
    grant_id INTEGER NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (token_hash)
);

CREATE INDEX oauth_token_by_grant ON oauth_token (grant_id);

CREATE INDEX oauth_token_by_expiry ON oauth_token (expires_at);
