from tests.core.projects import project

__all__ = ["project"]
