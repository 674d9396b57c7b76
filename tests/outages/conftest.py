"""Modules written for one test."""

from tests.written_modules import write_module

__all__ = ["write_module"]
