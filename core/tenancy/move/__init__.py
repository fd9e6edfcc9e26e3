"""Moving a tenant to another data database while it works: see docs/decisions/0014-moves-and-backups.md."""
