"""What tests need: a pytest plugin and the suites every backend and codec has to pass."""
