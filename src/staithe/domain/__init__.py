"""Pure values and functions: no I/O, no clock, no SQL. Imports the standard library, msgspec and pyroaring only."""
