"""Costs: what each partner costs the installation, by a versioned table of prices."""
