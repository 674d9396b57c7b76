"""The application, for servers and commands as ``run:app``; as a program, the development server.

``python run.py --prepare`` first does what ``flask --app run prepare`` does, in the same process:
one more would import everything once more, and double the time to the first answer.
"""

import gc

# Nothing that a start makes is freed: a collector that looks for it takes a tenth of the start.
gc.disable()

import atexit
import os
import sys

from click import ClickException
from flask import Flask
from werkzeug.serving import WSGIRequestHandler
from werkzeug.serving import is_running_from_reloader

from core.cli import is_command_wanted
from core.cli.stand_in import create_stand_in
from core.configuration import ConfigError
from core.data import engines
from core.factory import create_app
from core.modules import ModuleError

# gunicorn stops at 3, "the worker cannot boot"; at any other code it starts the worker again, for ever.
EXIT_CODE = 2 if __name__ == "__main__" else 3


class RequestHandler(WSGIRequestHandler):
    """The development server's, which does not show its and Python's versions."""

    def version_string(self) -> str:
        """Return what the header ``Server`` says."""
        return "development"


def make_app() -> Flask:
    """Make the application, or end the process with one message that says what to correct."""
    try:
        app = create_app()
    except (ConfigError, ModuleError) as error:
        if is_command_wanted():
            # Some commands do without the application; the others give the error themselves.
            return create_stand_in(error)
        print(f"Error: {error}", file=sys.stderr)
        if is_running_from_reloader():
            # Ending here would end the development server too: it goes on, and starts again with the next change.
            return create_stand_in(error)
        sys.exit(EXIT_CODE)
    atexit.register(engines.close, app, os.getpid())
    return app


def serve() -> None:
    """Serve for development; with ``--prepare`` bring the database to head before."""
    # The reloader starts this program again for each change: the first has prepared.
    if "--prepare" in sys.argv[1:] and not is_running_from_reloader():
        try:
            with app.app_context():
                app.cli.commands["prepare"].main([], standalone_mode=False)
        except ClickException as error:
            error.show()
            sys.exit(error.exit_code)
    develops = app.config["APP_ENV"] == "development"
    # The same, by a name: a browser makes passkeys for names only.
    host = "localhost" if app.config["HOST"] == "127.0.0.1" else app.config["HOST"]
    app.run(host, app.config["PORT"], debug=develops, load_dotenv=False, request_handler=RequestHandler)


app = make_app()
# Objects that exist now are not examined again, nor at the end of the process, where that takes a third of the start.
gc.freeze()
gc.enable()

if __name__ == "__main__":
    serve()
