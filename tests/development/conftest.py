from tests.written import write_module

__all__ = ["write_module"]
