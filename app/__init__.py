"""The modules. Each is listed in settings.INSTALLED_APPS and goes with its line there."""
