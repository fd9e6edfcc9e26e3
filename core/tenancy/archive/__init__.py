"""Leaving and coming back: a tenant's archive written, read and verified; a tenant deleted for good."""
