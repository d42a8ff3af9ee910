"""Mapping files and code tables: only data."""
