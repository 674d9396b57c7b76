"""Andamio side by side with bare Flask and Django REST framework; see README.md. Not a test."""
