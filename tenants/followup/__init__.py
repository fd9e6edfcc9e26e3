"""What was done for a person, and what was said to them."""
