"""What olistctl needs of other packages, and which of it is installed: by their metadata, without importing them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

from olistctl.errors import EnvironmentFault

NAME = "olistctl"


@dataclass(frozen=True)
class Need:
    """A package that is needed, and the version that is installed; None: it is not."""

    requirement: Requirement
    installed: str | None

    @property
    def is_met(self) -> bool:
        """Tell whether a version is installed that will do."""
        return self.installed is not None and self.requirement.specifier.contains(self.installed, prereleases=True)

    def __str__(self) -> str:
        needed = f" (needs {self.requirement.specifier})" if self.requirement.specifier else ""
        return f"{self.requirement.name} {self.installed or 'is not installed'}{needed if not self.is_met else ''}"


def own_distribution() -> Distribution:
    """Return olistctl as it is installed.

    Raises:
        EnvironmentFault: it is not, but run from its source, say.
    """
    try:
        return distribution(NAME)
    except PackageNotFoundError:
        message = "this olistctl is not installed as a package, so that nobody knows what it needs"
        raise EnvironmentFault(
            message, hint="pip install olistctl, or pip install --editable . in its checkout"
        ) from None


def needs(extra: str = "") -> tuple[Need, ...]:
    """Return what olistctl needs, or what one of its extras adds to that.

    Raises:
        EnvironmentFault: this olistctl is not installed as a package.
    """
    return tuple(_needs_of(own_distribution(), extra))


def unmet(found: Iterable[Need]) -> tuple[Need, ...]:
    """Return those of which no version is installed that will do."""
    return tuple(need for need in found if not need.is_met)


def _needs_of(package: Distribution, extra: str) -> Iterator[Need]:
    for line in package.requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        is_of_all = marker is None or marker.evaluate({"extra": ""})
        if is_of_all if not extra else (not is_of_all and marker and marker.evaluate({"extra": extra})):
            yield from _with_its_extras(requirement)


def _with_its_extras(requirement: Requirement) -> Iterator[Need]:
    try:
        package = distribution(requirement.name)
    except PackageNotFoundError:
        yield Need(requirement, None)
        return
    yield Need(requirement, package.metadata["Version"])
    for extra in sorted(requirement.extras):
        yield from _needs_of(package, extra)
