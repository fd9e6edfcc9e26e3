"""Answers from the partner's own guidelines, each with the passage it rests on, or no answer."""
