"""Processes of jobs: how they start, are isolated, are supervised and stop."""
