"""The feature store: what each feature is, how its values lie, their snapshots, and values as known on any day."""
