"""Several objects read and changed in one step."""
