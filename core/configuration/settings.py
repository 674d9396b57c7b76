"""Settings of a deployment, and the error of settings that cannot be used."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class ConfigError(Exception):
    """The environment does not describe a deployment that can run.

    :param faults: one sentence per fault, naming the setting, what is wrong and how to fix it
    """

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("the configuration cannot be used:\n" + "\n".join(f"  - {f}" for f in faults))


@dataclass(frozen=True)
class Setting:
    """One variable of the environment, or a family of them, ``NAME_<WHAT>``.

    :param parse: reads the text; raises ValueError with the hint, ``write …``, where it cannot
    :param default: the value, or one for each environment, where the variable is not set; a text is read like one
    :param doc: its meaning, for the README and ``.env.example``
    :param is_secret: whether no message may repeat the value, and ``NAME_FILE`` may name a file that holds it
    """

    name: str
    parse: Callable[[str], Any]
    default: Any
    doc: str
    is_secret: bool = False

    @property
    def is_family(self) -> bool:
        """Return whether this is a family of variables, which begin alike."""
        return "<" in self.name

    def names(self, environ: Mapping[str, str]) -> list[str]:
        """Return the names of the variables: of a family, those that are set."""
        prefix, family, _ = self.name.partition("<")
        if not family:
            return [self.name]
        return sorted(name for name, text in environ.items() if text and name.startswith(prefix) and name != prefix)

    def value(self, text: str | None, environment: str) -> Any:
        """Return the value that a text stands for; without one, the default of an environment."""
        if text is not None:
            return self.parse(text)
        default = self.default.get(environment) if isinstance(self.default, dict) else self.default
        return self.parse(default) if isinstance(default, str) else default


def _no_faults(values: Mapping[str, Any]) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Group:
    """The settings of the platform, or of a module.

    :param faults: yields what does not fit together, given the values of all settings
    """

    settings: Sequence[Setting]
    faults: Callable[[Mapping[str, Any]], Iterable[str]] = _no_faults
