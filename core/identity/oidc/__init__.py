"""Sign-in by a tenant's own OpenID Connect provider (SSO)."""
