"""Measures a real server against floors: `make bench`, or `python -m bench --help`."""
