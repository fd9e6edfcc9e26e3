"""Rehearsal: simulated years of use and invoices with a frozen clock, on servers of its own, checked by an oracle."""
