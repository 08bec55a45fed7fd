"""Proves machines with testinfra: runs the specs, tells unreachable from failed, writes reports."""
