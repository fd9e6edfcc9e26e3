"""Dunning: reminders of overdue invoices, then extras off until they are paid.

Money never stops care. Imports, the nightly list, recording attempts and outcomes, reading and export work whatever is
owed, and only a person suspends a partner.
"""
