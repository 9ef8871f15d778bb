CREATE TABLE change (
    id INTEGER NOT NULL,
    sync_id BIGINT,
    action TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX change_by_sync ON change (sync_id);

CREATE TABLE contact (
    id INTEGER NOT NULL,
    email_key TEXT,
    c_emailaddress TEXT,
    c_firstname TEXT,
    c_lastname TEXT,
    c_company TEXT,
    c_emaildisplayname TEXT,
    c_address1 TEXT,
    c_address2 TEXT,
    c_address3 TEXT,
    c_city TEXT,
    c_state_prov TEXT,
    c_zip_postal TEXT,
    c_country TEXT,
    c_busphone TEXT,
    c_mobilephone TEXT,
    c_fax TEXT,
    c_title TEXT,
    c_salutation TEXT,
    c_salesperson TEXT,
    c_sfdccontactid TEXT,
    c_sfdcleadid TEXT,
    c_sfdcaccountid TEXT,
    c_lastmodifiedbyextintegratesystem BIGINT,
    c_sfdclastcampaignid TEXT,
    c_sfdclastcampaignstatus TEXT,
    c_company_revenue1 TEXT,
    c_sfdc_emailoptout1 TEXT,
    c_lead_source___most_recent1 TEXT,
    c_lead_source___original1 TEXT,
    c_industry1 TEXT,
    c_annual_revenue1 TEXT,
    c_lead_status1 TEXT,
    c_job_role1 TEXT,
    c_elqpurlname1 TEXT,
    c_lead_rating___combined1 TEXT,
    c_company_size1 TEXT,
    c_territory TEXT,
    c_elqpurlname TEXT,
    c_sfdclastcampaignname TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE UNIQUE INDEX contact_by_email ON contact (email_key);

CREATE TABLE contact_list (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    data_lookup_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE counter (
    name TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE definition (
    kind TEXT NOT NULL,
    id BIGINT NOT NULL,
    element TEXT NOT NULL,
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    last_synced_at BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE TABLE definition_asset (
    asset_kind TEXT NOT NULL,
    asset_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    definition_id BIGINT NOT NULL,
    PRIMARY KEY (asset_kind, asset_id, kind, definition_id)
);

CREATE INDEX definition_asset_by_definition ON definition_asset (kind, definition_id);

CREATE TABLE email_group (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    data_lookup_id TEXT NOT NULL,
    properties TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE id_set (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
);

CREATE TABLE id_set_chunk (
    set_id BIGINT NOT NULL,
    chunk INTEGER NOT NULL,
    size INTEGER NOT NULL,
    bits BLOB NOT NULL,
    PRIMARY KEY (set_id, chunk)
);

CREATE TABLE idempotency (
    definition_kind TEXT NOT NULL,
    definition_id BIGINT NOT NULL,
    "key" TEXT NOT NULL,
    body_digest BLOB NOT NULL,
    sync_id BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (definition_kind, definition_id, "key")
);

CREATE TABLE set_change (
    set_id BIGINT NOT NULL,
    chunk INTEGER NOT NULL,
    change_id BIGINT NOT NULL,
    added BLOB,
    removed BLOB,
    PRIMARY KEY (set_id, chunk, change_id)
);

CREATE TABLE sync (
    id INTEGER NOT NULL,
    definition_uri TEXT NOT NULL,
    definition_kind TEXT NOT NULL,
    definition_id BIGINT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    callback_url TEXT,
    called_back_at BIGINT,
    lease_owner TEXT,
    lease_until BIGINT,
    attempts INTEGER NOT NULL,
    reject_file TEXT,
    reject_count BIGINT NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX sync_by_creation ON sync (created_at);

CREATE INDEX sync_by_definition ON sync (definition_kind, definition_id, status);

CREATE INDEX sync_by_status ON sync (status, id);

CREATE TABLE sync_log (
    sync_id BIGINT NOT NULL,
    line INTEGER NOT NULL,
    code TEXT NOT NULL,
    severity TEXT NOT NULL,
    message TEXT NOT NULL,
    count BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (sync_id, line)
);

CREATE TABLE upload (
    id INTEGER NOT NULL,
    definition_kind TEXT NOT NULL,
    definition_id BIGINT NOT NULL,
    sync_id BIGINT,
    file TEXT NOT NULL,
    format TEXT NOT NULL,
    records BIGINT NOT NULL,
    staged_bytes BIGINT NOT NULL,
    unmapped BLOB NOT NULL,
    has_mapped_field BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX upload_by_definition ON upload (definition_kind, definition_id, sync_id);

CREATE INDEX upload_by_sync ON upload (sync_id);
