"""The keys of the servers that are not the development server."""

from config import Key
from config import boolean
from config import integer

KEYS = (
    Key("WEB_CONCURRENCY", integer(1, 1000), None, "workers of gunicorn; one for each usable core, from 2 to 16"),
    Key("WEB_THREADS", integer(1, 1000), 4, "threads of each worker: requests that it answers at once"),
    Key(
        "WEB_REQUEST_SECONDS",
        integer(1, 3600),
        20,
        "seconds for which a client may send a request, or take an answer, at less than 8 kB a second, before gunicorn "
        "closes the connection (408)",
    ),
    Key("ACCESS_LOG", boolean, False, "whether gunicorn logs each request; nginx in front has a log of its own"),
)
