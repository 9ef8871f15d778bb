CREATE TABLE deployment (
    id TEXT NOT NULL,
    staging TEXT NOT NULL,
    PRIMARY KEY (id)
);
