"""The verbs of roles: what each grants, and who has it. No HTTP.

Users grant only what they have: one who may edit roles or people, and is no administrator, grants and takes
only permissions of their own, and roles that grant no others. At least one administrator must remain.
"""

from collections.abc import Collection
from collections.abc import Iterable

import sqlalchemy as sa
from flask_babel import gettext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

from core.access import Policy
from core.access import identity
from core.access import permission
from core.access import permissions
from core.access import require
from core.access import security_log
from core.exceptions import Forbidden
from core.exceptions import Invalid
from core.exceptions import NotFound
from core.fields.messages import Message
from core.signals import row_created
from core.signals import row_deleted
from core.signals import row_updated
from core.signals import row_written
from services import db

from ..models import Role
from ..models import RolePermission
from ..models import User
from ..models import user_role
from .permissions import ADMINISTRATOR
from .permissions import granted

#: Needed to edit what a role grants, and to see the matrix of permissions.
EDIT_ROLES: Policy = permission("accounts.role.edit")

#: Needed to edit the roles of a user.
EDIT_PEOPLE: Policy = permission("accounts.user.edit")

#: Roles that the platform itself needs, by name.
BUILT_IN = {
    "member": Message("Has an account."),
    "staff": Message("Maintains what other users have entered."),
    "administrator": Message("May do everything, and grants permissions to the others."),
}


def every() -> list[Role]:
    """Return the roles with what they grant, by name."""
    return list(db.session.scalars(sa.select(Role).options(selectinload(Role.grants)).order_by(Role.name)))


def complete() -> None:
    """Create the built-in roles that are missing: a history that was started again has the tables only."""
    there = set(db.session.scalars(sa.select(Role.name).where(Role.name.in_(BUILT_IN))))
    missing = [Role(name=name, description=text) for name, text in BUILT_IN.items() if name not in there]
    if missing:
        db.session.add_all(missing)
        db.session.flush()


def grants() -> dict[str, frozenset[str]]:
    """Return what each role grants; those that the platform gives are there from the start."""
    stored = {role.name: role.permissions for role in every()}
    return {name: granted([name], stored.get(name, ())) for name in sorted({*BUILT_IN, *stored})}


def get(name: str) -> Role:
    """Return a role.

    :raises NotFound: if there is none of this name
    """
    found = db.session.scalar(sa.select(Role).where(Role.name == name).options(selectinload(Role.grants)))
    if found is None:
        raise NotFound(gettext("There is no role %(name)s.", name=name))
    return found


def unknown() -> list[tuple[str, str]]:
    """Return (role, permission) of what is granted and no installed module asks for."""
    known = {*permissions()}
    return [(role.name, name) for role in every() for name in role.permissions if name not in known]


def create(name: str, description: str | None) -> Role:
    """Make a role that grants nothing yet.

    :raises Invalid: if there is one of this name
    """
    require(EDIT_ROLES)
    taken = Invalid({"name": [gettext("There is a role %(name)s already.", name=name)]})
    if db.session.scalar(sa.select(Role.id).where(Role.name == name)) is not None:
        raise taken
    role = Role(name=name, description=description)
    db.session.add(role)
    try:
        db.session.flush()
    except IntegrityError as error:
        db.session.rollback()
        raise taken from error
    row_created.send(Role, item=role)
    security_log.record("role.changed", role=name, change="created")
    return role


def delete(role: Role) -> None:
    """Remove a role from all who have it.

    :raises Forbidden: if it grants what the current user does not have
    :raises Invalid: if the platform needs it
    """
    require(EDIT_ROLES)
    if role.name in BUILT_IN:
        raise Invalid({"": [gettext("The platform needs the role %(name)s.", name=role.name)]})
    _check_reach(role.permissions)
    _change(role, [])
    db.session.delete(role)
    db.session.flush()
    row_deleted.send(Role, item=role)
    security_log.record("role.changed", role=role.name, change="deleted")


def grant(role: Role, names: Collection[str]) -> None:
    """Let a role grant these permissions, and no others; what no installed module asks for stays as it is.

    :raises Forbidden: if the current user lacks one that is added or removed
    :raises Invalid: if one is unknown, or the role is the administrators'
    """
    require(EDIT_ROLES)
    if role.name == ADMINISTRATOR:
        raise Invalid(
            {"permissions": [gettext("Administrators may do everything; nothing can be taken from them or added.")]}
        )
    known, before = {*permissions()}, {*role.permissions}
    added, gone = {*names} - before, (before & known) - {*names}
    strange = sorted(added - known)
    if strange:
        raise Invalid({"permissions": [gettext("No installed module asks for %(names)s.", names=", ".join(strange))]})
    _check_reach(added | gone)
    if not added and not gone:
        return
    _change(role, (before - gone) | added)
    for name in sorted(added):
        security_log.record("permission.changed", role=role.name, permission=name, change="granted")
    for name in sorted(gone):
        security_log.record("permission.changed", role=role.name, permission=name, change="revoked")


def revoke_unknown(role: Role, name: str) -> None:
    """Take from a role what no installed module asks for."""
    require(EDIT_ROLES)
    _change(role, {*role.permissions} - {name})
    security_log.record("permission.changed", role=role.name, permission=name, change="revoked")


def give(user: User, names: Collection[str]) -> None:
    """Set the roles of a user.

    :raises Forbidden: if one that is added or removed grants what the current user does not have
    :raises Invalid: if there is none of a name, or no administrator would be left
    """
    require(EDIT_PEOPLE)
    known = {role.name: role for role in every()}
    strange = sorted({*names} - known.keys())
    if strange:
        raise Invalid({"roles": [gettext("There is no role %(names)s.", names=", ".join(strange))]})
    before = {role.name for role in user.roles}
    added, gone = {*names} - before, before - {*names}
    for name in sorted(added | gone):
        _check_reach(granted([name], known[name].permissions))
    if ADMINISTRATOR in gone:
        check_others_left(user)
    if not added and not gone:
        return
    user.roles = [known[name] for name in sorted(names)]
    db.session.flush()
    row_updated.send(User, item=user)
    for name in sorted(added):
        security_log.record("role.changed", role=name, target=user.key, change="given")
    for name in sorted(gone):
        security_log.record("role.changed", role=name, target=user.key, change="taken")


def _change(role: Role, names: Collection[str]) -> None:
    """Let a role grant these permissions; the history has them as a value of the role."""
    before = [*role.permissions]
    role.grants = [one for one in role.grants if one.permission in names] + [
        RolePermission(permission=name) for name in sorted({*names} - {*before})
    ]
    db.session.flush()
    if {*before} == {*names}:
        return
    row_updated.send(Role, item=role)
    texts = [", ".join(sorted(some)) or None for some in (before, names)]
    row_written.send(Role, key=role.id, before={"permissions": texts[0]}, after={"permissions": texts[1]})


def _check_reach(names: Iterable[str]) -> None:
    who = identity()
    beyond = {*names} - who.permissions
    if beyond and not who.is_operator:
        raise Forbidden(beyond)


def check_others_left(user: User) -> None:
    """Refuse to take the last administrator away; of two at once the second sees what the first has left.

    :raises Invalid: if this is the only administrator who can sign in
    """
    role = db.session.scalars(sa.select(Role).where(Role.name == ADMINISTRATOR).with_for_update()).one()
    others = sa.select(User.id).join(user_role).where(user_role.c.role_id == role.id, User.id != user.id, User.active)
    # With a lock: on MariaDB a plain SELECT would still see what was before the wait.
    if db.session.scalar(others.limit(1).with_for_update()) is None:
        raise Invalid({"roles": [gettext("This is the only administrator: make another one first.")]})
