"""Access control: the current identity, policies, and checks that join them.

The front door for authors of modules. Identities come from a module such as ``app.accounts``, which sets
their loader with :func:`set_identity_loader`.
"""

from .checks import allowed
from .checks import condition
from .checks import is_unchecked
from .checks import require
from .checks import unchecked
from .columns import column_policies
from .columns import hidden_attributes
from .endpoints import access
from .endpoints import may_open
from .endpoints import restrict
from .identities import ANONYMOUS
from .identities import OPERATOR
from .identities import Identity
from .identities import acting_as
from .identities import forget
from .identities import has_looked
from .identities import identity
from .identities import set_identity_loader
from .policies import PUBLIC
from .policies import SIGNED_IN
from .policies import Policy
from .policies import any_of
from .policies import permission
from .roles import owners_permissions
from .roles import permissions
from .roles import roles
from .roles import set_role_loader

__all__ = [
    "ANONYMOUS",
    "OPERATOR",
    "PUBLIC",
    "SIGNED_IN",
    "Identity",
    "Policy",
    "access",
    "acting_as",
    "allowed",
    "any_of",
    "column_policies",
    "condition",
    "forget",
    "has_looked",
    "hidden_attributes",
    "identity",
    "is_unchecked",
    "may_open",
    "owners_permissions",
    "permission",
    "permissions",
    "require",
    "restrict",
    "roles",
    "set_identity_loader",
    "set_role_loader",
    "unchecked",
]
