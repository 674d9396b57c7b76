"""The application, for servers and commands as ``run:app``; as a program, the development server."""

import sys

from flask import Flask

from config import ConfigError
from core import create_app
from core.modules import ModuleError

# gunicorn stops at 3, "the worker cannot boot"; at any other code it starts the worker again for ever.
EXIT_CODE = 2 if __name__ == "__main__" else 3


def make_app() -> Flask:
    """Make the application, or end the process with one message that says what to correct."""
    try:
        return create_app()
    except (ConfigError, ModuleError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(EXIT_CODE)


app = make_app()

if __name__ == "__main__":
    develops = app.config["APP_ENV"] == "development"
    app.run(app.config["HOST"], app.config["PORT"], debug=develops, load_dotenv=False)
