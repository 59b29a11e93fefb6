"""Runs inside the container of the linters."""
