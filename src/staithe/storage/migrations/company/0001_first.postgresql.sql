CREATE TABLE change (
    id BIGINT NOT NULL,
    sync_id BIGINT,
    action TEXT COLLATE "C" NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX change_by_sync ON change (sync_id);

CREATE TABLE contact (
    id BIGINT NOT NULL,
    email_key TEXT COLLATE "C",
    c_emailaddress TEXT COLLATE "C",
    c_firstname TEXT COLLATE "C",
    c_lastname TEXT COLLATE "C",
    c_company TEXT COLLATE "C",
    c_emaildisplayname TEXT COLLATE "C",
    c_address1 TEXT COLLATE "C",
    c_address2 TEXT COLLATE "C",
    c_address3 TEXT COLLATE "C",
    c_city TEXT COLLATE "C",
    c_state_prov TEXT COLLATE "C",
    c_zip_postal TEXT COLLATE "C",
    c_country TEXT COLLATE "C",
    c_busphone TEXT COLLATE "C",
    c_mobilephone TEXT COLLATE "C",
    c_fax TEXT COLLATE "C",
    c_title TEXT COLLATE "C",
    c_salutation TEXT COLLATE "C",
    c_salesperson TEXT COLLATE "C",
    c_sfdccontactid TEXT COLLATE "C",
    c_sfdcleadid TEXT COLLATE "C",
    c_sfdcaccountid TEXT COLLATE "C",
    c_lastmodifiedbyextintegratesystem BIGINT,
    c_sfdclastcampaignid TEXT COLLATE "C",
    c_sfdclastcampaignstatus TEXT COLLATE "C",
    c_company_revenue1 TEXT COLLATE "C",
    c_sfdc_emailoptout1 TEXT COLLATE "C",
    c_lead_source___most_recent1 TEXT COLLATE "C",
    c_lead_source___original1 TEXT COLLATE "C",
    c_industry1 TEXT COLLATE "C",
    c_annual_revenue1 TEXT COLLATE "C",
    c_lead_status1 TEXT COLLATE "C",
    c_job_role1 TEXT COLLATE "C",
    c_elqpurlname1 TEXT COLLATE "C",
    c_lead_rating___combined1 TEXT COLLATE "C",
    c_company_size1 TEXT COLLATE "C",
    c_territory TEXT COLLATE "C",
    c_elqpurlname TEXT COLLATE "C",
    c_sfdclastcampaignname TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);

CREATE UNIQUE INDEX contact_by_email ON contact (email_key);

CREATE TABLE contact_list (
    id BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    data_lookup_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE counter (
    name TEXT COLLATE "C" NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE definition (
    kind TEXT COLLATE "C" NOT NULL,
    id BIGINT NOT NULL,
    element TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL,
    last_synced_at BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE TABLE definition_asset (
    asset_kind TEXT COLLATE "C" NOT NULL,
    asset_id BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    definition_id BIGINT NOT NULL,
    PRIMARY KEY (asset_kind, asset_id, kind, definition_id)
);

CREATE INDEX definition_asset_by_definition ON definition_asset (kind, definition_id);

CREATE TABLE email_group (
    id BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    data_lookup_id TEXT COLLATE "C" NOT NULL,
    properties TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE id_set (
    id BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
);

CREATE TABLE id_set_chunk (
    set_id BIGINT NOT NULL,
    chunk INTEGER NOT NULL,
    size INTEGER NOT NULL,
    bits BYTEA NOT NULL,
    PRIMARY KEY (set_id, chunk)
);

CREATE TABLE idempotency (
    definition_kind TEXT COLLATE "C" NOT NULL,
    definition_id BIGINT NOT NULL,
    "key" TEXT COLLATE "C" NOT NULL,
    body_digest BYTEA NOT NULL,
    sync_id BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (definition_kind, definition_id, "key")
);

CREATE TABLE set_change (
    set_id BIGINT NOT NULL,
    chunk INTEGER NOT NULL,
    change_id BIGINT NOT NULL,
    added BYTEA,
    removed BYTEA,
    PRIMARY KEY (set_id, chunk, change_id)
);

CREATE TABLE sync (
    id BIGINT NOT NULL,
    definition_uri TEXT COLLATE "C" NOT NULL,
    definition_kind TEXT COLLATE "C" NOT NULL,
    definition_id BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    callback_url TEXT COLLATE "C",
    called_back_at BIGINT,
    lease_owner TEXT COLLATE "C",
    lease_until BIGINT,
    attempts INTEGER NOT NULL,
    reject_file TEXT COLLATE "C",
    reject_count BIGINT NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX sync_by_creation ON sync (created_at);

CREATE INDEX sync_by_definition ON sync (definition_kind, definition_id, status);

CREATE INDEX sync_by_status ON sync (status, id);

CREATE TABLE sync_log (
    sync_id BIGINT NOT NULL,
    line INTEGER NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    severity TEXT COLLATE "C" NOT NULL,
    message TEXT COLLATE "C" NOT NULL,
    count BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (sync_id, line)
);

CREATE TABLE upload (
    id BIGINT NOT NULL,
    definition_kind TEXT COLLATE "C" NOT NULL,
    definition_id BIGINT NOT NULL,
    sync_id BIGINT,
    file TEXT COLLATE "C" NOT NULL,
    format TEXT COLLATE "C" NOT NULL,
    records BIGINT NOT NULL,
    staged_bytes BIGINT NOT NULL,
    unmapped BYTEA NOT NULL,
    has_mapped_field BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX upload_by_definition ON upload (definition_kind, definition_id, sync_id);

CREATE INDEX upload_by_sync ON upload (sync_id);

DO $$ BEGIN ALTER TABLE id_set_chunk ALTER COLUMN bits SET STORAGE EXTERNAL; ALTER TABLE set_change ALTER COLUMN added SET STORAGE EXTERNAL; ALTER TABLE set_change ALTER COLUMN removed SET STORAGE EXTERNAL; EXCEPTION WHEN feature_not_supported THEN NULL; END $$;
