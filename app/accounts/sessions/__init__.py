"""Server-side records of sessions, which can be ended."""
