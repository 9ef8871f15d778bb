CREATE TABLE deployment (
    id TEXT COLLATE "C" NOT NULL,
    staging TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
