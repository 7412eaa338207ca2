"""The settings of one call: read, checked, and told where each value came from."""

from olistctl.config.settings import Settings, load_settings

__all__ = ["Settings", "load_settings"]
