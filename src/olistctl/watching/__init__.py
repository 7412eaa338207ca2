"""`olistctl watch`: each whole delivery in the source folder becomes one ordinary run."""

from olistctl.watching.folder import Folder, Listing
from olistctl.watching.intake import Intake, Rules, State
from olistctl.watching.watcher import Watcher, WatchEvent, WatchOptions

__all__ = ["Folder", "Intake", "Listing", "Rules", "State", "WatchEvent", "WatchOptions", "Watcher"]
