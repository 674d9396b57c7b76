"""Where somebody is signed in: a record of each session, which can be ended."""
