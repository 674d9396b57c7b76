"""The platform's own commands, one a file; thin: what they do is imported when it is first used.

:data:`COMMANDS` is the list; a module's commands are found in its ``cli.py`` (:mod:`core.cli`).
"""

from .about import about
from .access import access
from .deploy import deploy
from .doctor import doctor
from .maintenance import maintenance
from .prepare import prepare
from .secret import secret

#: In the order of their names; ``flask --help`` sorts them anyway.
COMMANDS = (about, access, deploy, doctor, maintenance, prepare, secret)

__all__ = ["COMMANDS", "doctor", "prepare", "secret"]
