"""The files of a deployment: what serves the site on a server, in a container, or at a provider.

``flask deploy render DIR`` writes them (:mod:`core.commands.deploy`). Nothing is installed: an operator who runs the
server looks at them first, and copies them.
"""
