CREATE TABLE company_limits (
    company_id INTEGER NOT NULL,
    staging_quota_kb BIGINT,
    uploads_at_once BIGINT,
    syncs_per_hour BIGINT,
    PRIMARY KEY (company_id)
);
