"""The warehouse of the core's tests, a module with resources, and modules written for one test."""

from tests.core.conftest import database_url
from tests.core.conftest import database_urls
from tests.written_modules import write_module

__all__ = ["database_url", "database_urls", "write_module"]
