"""How fast braingraph is, measured beside hand-written JAX and C: ``python -m benchmarks.run``."""
