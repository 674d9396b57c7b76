"""Personal access tokens: what programs send in place of a person."""
