"""The keys of the servers that are not the development server."""

from config import Key
from config import boolean
from config import integer

KEYS = (
    Key("WEB_CONCURRENCY", integer(1, 1000), None, "workers of gunicorn; one for each usable core, from 2 to 16"),
    Key("WEB_THREADS", integer(1, 1000), 4, "threads of each worker: requests that it answers at once"),
    Key("ACCESS_LOG", boolean, False, "whether gunicorn logs each request; nginx in front has a log of its own"),
)
