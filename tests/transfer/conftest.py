from tests.written_modules import write_module
from tests.written_modules import write_revision

__all__ = ["write_module", "write_revision"]
