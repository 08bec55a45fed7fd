"""Properties have no time limit of their own: on a loaded machine a slow example is not a wrong one. Sixty
examples each keep all unit tests within ten seconds."""

from hypothesis import settings

settings.register_profile("goldfleet", deadline=None, max_examples=60)
settings.load_profile("goldfleet")
