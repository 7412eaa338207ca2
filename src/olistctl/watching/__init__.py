"""`olistctl watch`: each whole delivery in the source folder becomes one ordinary run."""

from olistctl.watching.intake import Rules
from olistctl.watching.watcher import Watcher, WatchEvent, WatchOptions

__all__ = ["Rules", "WatchEvent", "WatchOptions", "Watcher"]
