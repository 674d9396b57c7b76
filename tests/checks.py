"""Make one check of ``flask doctor``, as in production."""

from typing import Any

from flask import Flask

from app.doctor import Deployment
from app.doctor import Finding
from app.doctor.examination import collect


def found(app: Flask, identity: str, **kwargs: Any) -> list[Finding]:
    """Return what one check finds.

    :param kwargs: of the deployment that is examined
    """
    deployment = Deployment(app, **{"named": "production", "is_production": True, **kwargs})
    with app.app_context():
        checks = {one.id: one for one in collect(deployment)[0]}
        return list(checks[identity].look(deployment))
