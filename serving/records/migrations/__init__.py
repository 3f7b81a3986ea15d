"""Versions of the records' tables, for Alembic."""
