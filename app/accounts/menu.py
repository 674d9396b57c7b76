"""The current user, at the end of the site's header."""

#: The template that shows it, on every page.
header = "accounts/_header.html"
