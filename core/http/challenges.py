"""The challenge for tokens: the header ``WWW-Authenticate`` (RFC 6750, section 3)."""

from collections.abc import Iterable

import settings


def challenge(error: str | None = None, description: str | None = None, scopes: Iterable[str] = ()) -> dict[str, str]:
    """Return the header that says which token is wanted, and what is wrong with the one that was sent.

    :param error: ``invalid_request``, ``invalid_token`` or ``insufficient_scope``; none where no token was sent
    :param description: for developers; in ASCII, without ``"`` and ``\\``
    :param scopes: any of which would be enough
    """
    attributes = {"realm": settings.SITE_NAME, "error": error, "error_description": description}
    attributes["scope"] = " ".join(sorted(scopes))
    text = ", ".join(f'{name}="{value}"' for name, value in attributes.items() if value)
    return {"WWW-Authenticate": f"Bearer {text}"}
