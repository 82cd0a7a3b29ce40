"""Processes of jobs: started, isolated, supervised and stopped on this machine."""
