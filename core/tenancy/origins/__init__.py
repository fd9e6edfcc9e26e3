"""Origins: the web addresses whose pages may call a tenant's API from a browser (CORS)."""
