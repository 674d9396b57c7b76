"""Roles: what is granted to them in data, and who has which."""
