"""Messages about runs, by Apprise: `completed`, `alert` and `ticket`, each to the channels that take it."""

from olistctl.notify.messages import Ended
from olistctl.notify.telling import NOT_INSTALLED, Trial, tell_done, tell_failed, try_channels

__all__ = ["NOT_INSTALLED", "Ended", "Trial", "tell_done", "tell_failed", "try_channels"]
