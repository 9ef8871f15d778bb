CREATE TABLE pending (
    company_id INTEGER NOT NULL PRIMARY KEY,
    hints BIGINT NOT NULL
);
