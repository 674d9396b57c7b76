"""Servers of the application: their settings from this machine and deployment, and their logs."""
