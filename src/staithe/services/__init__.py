"""Use cases: plain functions on values and stores. Nothing here knows HTTP, and nothing waits on a network."""
