"""The protocol of APIs: bodies, contracts, conditional requests, idempotency, and what views declare."""
