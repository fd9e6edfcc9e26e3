"""Invoices: computed from sealed usage and the versions of plans alone, so that anybody can compute them again."""
