"""The platform: a factory, the verbs over models, and their faces. No module is named here.

Nothing is imported: ``config.py`` uses :mod:`core.configuration` before there is an application.
"""
