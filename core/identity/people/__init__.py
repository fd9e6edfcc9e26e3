"""People who use the platform: accounts, memberships, sessions, passwords, and the links by which they choose one."""
