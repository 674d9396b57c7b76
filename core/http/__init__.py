"""What every face of HTTP shares: requests, contracts, errors, and what may pass. No rows."""
