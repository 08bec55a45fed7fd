"""Working models of the outside world, named by how they behave. No test sleeps, calls AWS, or patches anything."""
