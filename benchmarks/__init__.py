"""What the platform costs over the bare library or the bare database, measured side by side in one run."""
