"""The base model of a new partner, pooled from noisy sums of partners that agreed; no row leaves a partner."""
