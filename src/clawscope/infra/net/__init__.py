"""Calls to other services: bounded in time and size, no redirects."""
