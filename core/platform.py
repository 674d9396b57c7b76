"""The state of one application, in one object: what the core has collected from its modules.

It lies beneath the rest of the core. So values of classes from above are ``Any`` here, and the functions that return
them have the types, such as :func:`core.modules.installed` and :func:`core.access.identity`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from flask.sansio.app import App


@dataclass
class Platform:
    """The state of an application, ``app.extensions["andamio"]``; a process may have several."""

    #: The fault in place of an application that cannot start.
    start_fault: Exception | None = None
    #: True if its configuration was read from the environment of this process.
    has_read_environment: bool = False
    #: The installed modules, in order.
    modules: list[Any] = field(default_factory=list)
    #: (a blueprint with those around it, a name) → the value that is declared for its endpoints.
    declarations: dict[tuple[str, str], Any] = field(default_factory=dict)
    #: The name of a declaration that a module enforces → endpoint → the value.
    enforced: dict[str, dict[str, Any]] = field(default_factory=dict)

    #: Access: the functions that know users and roles, and the policies of endpoints, by method.
    identity_loader: Callable[[], Any] | None = None
    roles_loader: Callable[[], Any] | None = None
    policies: dict[str, Any] = field(default_factory=dict)
    policy_sources: list[Any] = field(default_factory=list)
    #: The names of the events that the security log may have.
    security_events: set[str] = field(default_factory=set)

    #: Rows: the verbs that faces serve, by model, and the rows that a relationship may name.
    served: dict[type[Any], Any] = field(default_factory=dict)
    selectable: Callable[[type[Any]], Any] | None = None
    #: The declared resources, each with the label of its module.
    resources: list[tuple[str, Any]] = field(default_factory=list)

    #: HTTP: path → the outermost blueprint of the API below it; endpoint → whether it is an API's.
    api_prefixes: dict[str, str] = field(default_factory=dict)
    api_endpoints: dict[str, bool] = field(default_factory=dict)
    #: Path → the name of the host by which it is answered, whatever name was asked for.
    any_host: dict[str, str] = field(default_factory=dict)
    #: The kinds of problem that modules have added, by name.
    problem_kinds: dict[str | None, Any] = field(default_factory=dict)
    #: The headers of all responses.
    completion: Any = None
    sign_in_endpoint: str | None = None

    #: Pages: the lists of declared resources, the offers of ``menu.py``, and the pages of models.
    lists: list[tuple[str, str, str]] = field(default_factory=list)
    menu: dict[str, Callable[[], Any]] = field(default_factory=dict)
    row_menu: list[Callable[[Any], Any]] = field(default_factory=list)
    header_templates: list[str] = field(default_factory=list)
    footer_templates: list[str] = field(default_factory=list)
    notices: list[Callable[[], str | None]] = field(default_factory=list)
    model_pages: dict[type[Any], Any] = field(default_factory=dict)


def platform_of(app: App) -> Platform:
    """Return the state of an application."""
    found: Platform | None = app.extensions.get("andamio")
    if found is None:
        found = app.extensions["andamio"] = Platform()
    return found
