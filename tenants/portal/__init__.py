"""The partner's pages: sign-in, today's work, what people record. Pages call the services that the API calls."""
