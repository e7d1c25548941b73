"""Transactions as plain functions on SQLite and PostgreSQL through one SQL."""
