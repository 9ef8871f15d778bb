"""Requests that no client means, by the hundred thousand, always the same for one seed."""
