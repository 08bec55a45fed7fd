"""Known hosts and connections: the only SSH of the package."""
