"""A client of the OCI distribution API."""
