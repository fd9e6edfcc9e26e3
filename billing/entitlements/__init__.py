"""What a partner's plan permits now: caps, and extras that dunning has stopped; and warnings before a cap."""
