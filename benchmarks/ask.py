"""Make the application of the modules named and answer ``/status`` as often as each line of input says.

A child process of ``start.py``: it prints the CPU time of one request in microseconds, a line for a line.
"""

import sys
import time

from werkzeug.test import EnvironBuilder

from core.factory import create_app

app = create_app(installed_apps=sys.argv[1:])
environ = EnvironBuilder("/status").get_environ()
for line in sys.stdin:
    times = int(line)
    before = time.process_time()
    for _ in range(times):
        b"".join(app(dict(environ), lambda status, headers, error=None: None))
    print((time.process_time() - before) / times * 1_000_000, flush=True)
