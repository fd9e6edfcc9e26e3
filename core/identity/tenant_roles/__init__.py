"""Roles of a tenant's own: stored in its schema, compiled for each process, changed from the next request on."""
