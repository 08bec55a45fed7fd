"""Benchmarks of `goldfleet verify`."""
