"""HTTP: translates requests to use cases and their results to answers. Decides nothing."""
