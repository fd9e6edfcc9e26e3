"""Follow-up: interventions for patients, and communications with them."""
