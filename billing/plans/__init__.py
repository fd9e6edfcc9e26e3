"""Plans and their versions, accounts, subscriptions with their changes, and the terms of a partner on a day."""
