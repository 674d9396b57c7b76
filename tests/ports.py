"""Ports of this machine for the servers that tests start. No pytest here."""

import secrets
import socket

#: Below those that the kernel gives to outgoing connections (``ip_local_port_range``): one of them could take a port
#: between the moment it is chosen and the moment its server listens, or while that server is away for a moment.
_LOWEST, _HIGHEST = 10_000, 32_000


def free_port() -> int:
    """Return a port on which no process listens; chosen at random, so that parallel tests choose different ones."""
    while True:
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
