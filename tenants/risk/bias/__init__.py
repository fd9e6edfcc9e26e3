"""Bias: whether predictions and lists do as well for each group of people, and what may be concluded from that."""
