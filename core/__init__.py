"""The kernel that every request and job passes through; knows nothing of HIV and nothing of money."""
