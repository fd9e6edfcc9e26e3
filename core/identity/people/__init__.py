"""People who use the platform: accounts, memberships, sessions, passwords, and one-time links to choose a password."""
