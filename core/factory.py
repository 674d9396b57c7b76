"""Make the application: configuration, services, errors, modules, and nothing else."""

import gc
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

from flask import Flask

import config as deployment
import services
import settings

from . import cli
from . import declarations
from . import modules
from . import signals
from .access import endpoints
from .access import security_log
from .configuration import ConfigError
from .configuration import collected
from .crud import readers
from .data import engines
from .data import execution
from .http import apis
from .http import errors
from .http import form_check
from .http import headers
from .http import hosts
from .http import languages
from .http import paths
from .http import prefix
from .http import proxies
from .http import request
from .http.application import Application
from .logs import request_ids
from .pages import layout
from .pages import menu
from .platform import platform_of

#: Steps before the modules are registered, in this order.
BEFORE_MODULES: tuple[Callable[[Flask], None], ...] = (
    # The request as it arrives: what proxies say of it, its path, its id.
    *(proxies.init_app, prefix.init_app, paths.init_app, request.init_app, request_ids.init_app),
    # The shared objects, and the database beneath them.
    *(services.init_app, engines.init_app, execution.init_app, form_check.init_app),
    # Errors, which every answer of a module may need, and the language of each answer.
    *(errors.init_app, languages.init_app),
    # Forms and pages.
    *(layout.init_app, readers.init_app),
)

#: Steps that read the modules' endpoints and finish them, in this order.
AFTER_MODULES: tuple[Callable[[Flask], Any], ...] = (
    # The modules' translations.
    languages.collect,
    # Every endpoint is guarded, and wrapped as modules enforce what is declared for it.
    *(apis.adopt_plain_apis, endpoints.guard, declarations.init_app),
    # Events that modules record in the security log.
    security_log.init_app,
    # Every answer is completed.
    *(headers.init_app, hosts.init_app),
    # The site's menu and commands.
    *(menu.init_app, cli.init_app),
    # The application is whole: modules may look at it.
    signals.app_ready.send,
)


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Pause the garbage collector: nothing made at start is freed, and scanning it takes a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_garbage_collection_paused()
def create_app(config: Mapping[str, Any] | None = None, installed_apps: Sequence[str] | None = None) -> Flask:
    """Make an application of the installed modules.

    :param config: what ``app.config`` is to hold, beside the defaults of settings; by default what the
        environment says
    :param installed_apps: dotted names of modules; by default those of ``settings.py``
    :raises ConfigError: if the environment does not describe a deployment that can run
    :raises core.modules.ModuleError: if a module cannot be used
    """
    app = Application("app")
    loaded = _load_modules(settings.INSTALLED_APPS if installed_apps is None else installed_apps, config)
    app.config.from_mapping(collected.load(loaded) if config is None else collected.complete(loaded, config))
    platform_of(app).has_read_environment = config is None
    for start in BEFORE_MODULES:
        start(app)
    modules.register(app, loaded)
    for start in AFTER_MODULES:
        start(app)
    return app


def _load_modules(names: Sequence[str], config: Mapping[str, Any] | None) -> list[modules.Module]:
    """Import the modules; where one cannot be used, also report what is wrong with the environment."""
    try:
        return modules.load(names)
    except modules.ModuleError as error:
        try:
            deployment.load() if config is None else None
        except ConfigError as also:
            raise ConfigError([*also.faults, str(error)]) from error
        raise
