"""The warehouse of the core's tests, a module with resources, and modules written for one test."""

from tests.core.conftest import app
from tests.core.conftest import client
from tests.core.conftest import database_url
from tests.core.conftest import database_urls
from tests.core.conftest import sqlite_app
from tests.core.conftest import sqlite_client
from tests.written_modules import write_module

__all__ = ["app", "client", "database_url", "database_urls", "sqlite_app", "sqlite_client", "write_module"]
