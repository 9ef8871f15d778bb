"""The staging area: uploads and rejects as immutable Arrow files. The only importer of pyarrow and numpy."""
