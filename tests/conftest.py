"""What holds for all tests."""

from hypothesis import settings

# How long an example takes depends on what else the machine does, and is nothing that a test says.
settings.register_profile("olistctl", deadline=None)
settings.load_profile("olistctl")
