"""The protocol of APIs: bodies, contracts, conditional requests, idempotency, limits, CORS, versions."""
