"""Staithe: a self-hosted server for bulk marketing-contact data that speaks the Eloqua Bulk API 2.0."""

__version__ = "0.7.0"

__all__ = ["__version__"]
