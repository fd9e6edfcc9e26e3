"""Tools that routes share: pages of lists, ETags, NDJSON streams, limits of uploads."""
