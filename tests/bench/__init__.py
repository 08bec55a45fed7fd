"""Benchmarks: `make bench`. They print medians and gate nothing; machines are noisy."""
