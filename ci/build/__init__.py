"""Builds and checks the variants of a plan."""
