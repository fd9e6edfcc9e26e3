"""Releases: smoke tests of a running installation, and whether a version can be rolled out and back."""
