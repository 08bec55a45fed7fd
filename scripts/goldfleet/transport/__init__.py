"""Asks many servers many questions at once: one connection and one session for each server, all servers at the same time."""
