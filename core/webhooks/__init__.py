"""Webhooks: public events, sent to the addresses that a tenant chose, signed as Standard Webhooks 1.0 says.

An event and its deliveries commit together. A job for each endpoint sends the deliveries that are due, one after
another, so that an endpoint that hangs holds one thread and delays no other endpoint.
"""
