"""The kernel that every request and job passes through. It contains nothing about HIV or money."""
