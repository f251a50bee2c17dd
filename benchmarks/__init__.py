"""How fast it is, beside other libraries: ``python -m benchmarks`` measures it all and writes docs/benchmarks.md."""
