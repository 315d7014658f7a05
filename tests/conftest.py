"""Settings of all tests."""

from hypothesis import HealthCheck, settings

# On a fresh or busy machine the first draws take a second: a figure of the machine, not of the code.
settings.register_profile("groundlint", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("groundlint")
