"""The platform with faults, for servers: ``tests.monitoring.site:app``."""

import settings
from core.factory import create_app

app = create_app(installed_apps=[*settings.INSTALLED_APPS, "tests.monitoring.faulty"])
