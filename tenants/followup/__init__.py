"""Follow-up: interventions for patients."""
