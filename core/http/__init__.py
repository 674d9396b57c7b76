"""Any request: hosts, proxies, headers, sessions, errors. No rows, and no protocol of APIs (:mod:`core.api`)."""
