"""Where notifications go: addresses for Apprise, of which at most scheme and host are ever shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from olistctl.config.strict_yaml import Node
from olistctl.errors import ConfigError

TAGS = ("alert", "ticket", "completed")
# In other addresses the part after `://` may be a token (slack, tgram, discord, jira).
_NAMES_ITS_HOST = frozenset(
    f"{scheme}{secure}" for scheme in ("apprise", "form", "http", "json", "mailto", "xml") for secure in ("", "s")
)
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, repr=False)
class Channel:
    """One address and what goes there; `name` is all of the address that may be shown, and the rest may be secret."""

    name: str
    tags: tuple[str, ...]
    _url: str  # the underscore keeps it out of every JSON

    @property
    def url(self) -> str:
        """The whole address, for Apprise alone."""
        return self._url

    def __repr__(self) -> str:
        return f"{self.name} ({', '.join(self.tags)})"


def channel(url: str, tags: Sequence[str] = TAGS) -> Channel:
    """Return the channel of an address."""
    return Channel(shown(url), tuple(tags), url.strip())


def channels_of_text(value: object) -> tuple[Channel, ...]:
    """Read addresses separated by blanks, each perhaps with its tags before it: `alert,ticket=json://…`.

    Raises:
        ValueError: it is no text, or has a tag that there is not; the message repeats nothing of it.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected addresses separated by blanks, or 'none'")
    words = value.split()
    return () if words == ["none"] else tuple(_of_word(word) for word in words)


def channels_of_node(node: Node) -> tuple[Channel, ...]:
    """Read the list of the configuration file, each with `url` and perhaps `tags`.

    Raises:
        ConfigError: it is no such list.
    """
    return tuple(_of_item(item.mapping(known=("url", "tags"), required=("url",))) for item in node.items())


def filled(channels: Sequence[Channel], environ: Mapping[str, str], origin: str) -> tuple[Channel, ...]:
    """Put the environment's values in the places of `${NAME}`.

    Raises:
        ConfigError: there is no such variable, or what comes out is no address.
    """

    def value_of(match: re.Match[str]) -> str:
        value = environ.get(match[1], "").strip()
        if not value:
            raise ConfigError(
                f"notify.channels: the environment variable {match[1]} is not set",
                where=origin,
                hint=f"set {match[1]}, or take the channel out",
            )
        return value

    result = []
    for number, one in enumerate(channels, 1):
        url = _VARIABLE.sub(value_of, one.url)
        if not re.match(r"[A-Za-z][\w.+-]*://", url):
            hint = "an address of Apprise, such as mailtos://user:password@example.org or jsons://example.org/hook"
            raise ConfigError(f"notify.channels: channel {number} is no address", where=origin, hint=hint)
        result.append(channel(url, one.tags))
    return tuple(result)


def shown(url: str) -> str:
    """Return scheme and host of an address, where these are known to be no secret."""
    scheme, _, rest = url.strip().partition("://")
    if not rest or not re.fullmatch(r"[A-Za-z][\w.+-]*", scheme):
        return "…"
    place, _, host = re.split(r"[/?#]", rest)[0].rpartition("@")
    # A token with a slash or a question mark in it ends the host too early; such an address shows nothing.
    head, _, query = rest.partition("?")
    astray = not place and ("@" in head or ("@" in query and not re.match(r"[\w-]+=", query)))
    whole = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[\w.-]+)(:\d+)?", host)
    is_known = scheme.lower() in _NAMES_ITS_HOST and whole and not astray
    return f"{scheme.lower()}://{whole[1] if is_known and whole else '…'}"


def _of_word(word: str) -> Channel:
    match = re.fullmatch(r"([\w,]+)=(.+)", word)
    if not match:
        return channel(word)
    tags = match[1].split(",")
    if not set(tags) <= set(TAGS):
        raise ValueError(f"expected an address, or {', '.join(TAGS)} before its '='")
    return channel(match[2], tags)


def _of_item(item: Mapping[str, Node]) -> Channel:
    if "tags" not in item:
        return channel(item["url"].text())
    tags = [tag.one_of(TAGS) for tag in item["tags"].items()]
    if not tags:
        raise item["tags"].error(f"expected some of {', '.join(TAGS)}")
    return channel(item["url"].text(), tags)
