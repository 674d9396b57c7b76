"""The link in the footer to the choice of the language."""

footer = "languages/_footer.html"
