"""Golden AMIs and the fleet that runs on them."""

__version__ = "0.1.0"
