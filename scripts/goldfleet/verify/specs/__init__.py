"""The specs' side: a testinfra backend whose commands are asked in batches, and the pytest plugin that runs it."""
