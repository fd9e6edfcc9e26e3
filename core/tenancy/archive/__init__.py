"""Archives of tenants: written, verified and restored; and the deletion of tenants for good."""
