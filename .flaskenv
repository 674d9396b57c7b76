# `flask COMMAND` finds the application (run.py) without --app.
FLASK_APP=run
