"""A forwarding proxy on loopback that answers Eloqua's host names with a Staithe server, for `staithe run`."""
