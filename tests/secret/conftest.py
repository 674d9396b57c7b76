from tests.written import write_module
from tests.written import write_revision

__all__ = ["write_module", "write_revision"]
