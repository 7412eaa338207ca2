"""What the errors of the Kaggle client mean.

Of their own words nothing is passed on: they may quote a token, or a signed address.
"""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import Any

from olistctl.errors import EnvironmentFault
from olistctl.fetching.dataset import Dataset
from olistctl.warehouse import refused

_TOKEN = (
    "make a token at https://www.kaggle.com/settings/api and put it into ~/.kaggle/access_token, "
    "or into the environment as KAGGLE_API_TOKEN"
)
AGAIN = "run it again, it goes on where it was"
# By the name of the error, or of the one that it was made of; None: what a browser may do better.
_LOST: tuple[tuple[str, str, str | None], ...] = (
    ("ProxyError", "the proxy gives no connection", "look at the environment variable HTTPS_PROXY"),
    (
        "SSLError",
        "its certificate cannot be verified",
        "where a proxy reads along, its certificate is to be trusted: REQUESTS_CA_BUNDLE=FILE",
    ),
    ("NameResolutionError", "its name cannot be resolved", None),
    ("Timeout", "it does not answer", None),
    ("ChunkedEncodingError", "the connection was lost", AGAIN),
    ("ConnectionError", "there is no connection", None),
)


def by_browser(dataset: Dataset, folder: Path) -> str:
    """Say how the files are got into a folder without the client."""
    return (
        f"download {dataset.description.page} in a browser, unzip it into {folder}, "
        f"and run `olistctl fetch --check --out {quote(str(folder))}`"
    )


def is_connection_lost(error: Exception) -> bool:
    """Tell whether a connection ended early, or never came about, so that another one may help."""
    import requests

    return isinstance(error, requests.RequestException) and not isinstance(error, requests.HTTPError)


def fault_of(error: Exception, dataset: Dataset, folder: Path) -> EnvironmentFault:
    """Return what an error of the client means to whoever wants the files in a folder."""
    import requests

    if isinstance(error, EnvironmentFault):
        return error
    elsewhere = by_browser(dataset, folder)
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return _refused(error.response, elsewhere)
    if isinstance(error, requests.RequestException):
        return _unreachable(error, elsewhere)
    if isinstance(error, OSError) and error.errno is None:  # of requests, which does not find what a variable names
        hint = "look at the environment variables REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE"
        return EnvironmentFault("the file of trusted certificates cannot be used", hint=hint)
    if isinstance(error, OSError):
        return refused("the files cannot be written", error, folder)
    return EnvironmentFault(f"the Kaggle client failed: {type(error).__name__}", hint=elsewhere)


def unreadable_credentials() -> EnvironmentFault:
    """Return what is to be said of a file of credentials that the client cannot read."""
    folder = os.environ.get("KAGGLE_CONFIG_DIR") or "~/.kaggle"
    hint = f"mend the files there, or move them away: the data needs no sign-in. Or {_TOKEN}"
    return EnvironmentFault("the Kaggle credentials cannot be read", where=folder, hint=hint)


def _refused(response: Any, elsewhere: str) -> EnvironmentFault:
    code = response.status_code
    if code in (401, 403) and _is_signed_in(response):
        hint = f"{_TOKEN}; or take the credentials away: the data needs no sign-in"
        return EnvironmentFault(f"Kaggle does not accept the credentials (HTTP {code})", hint=hint)
    if code in (401, 403):
        return EnvironmentFault(f"Kaggle wants a sign-in (HTTP {code})", hint=f"{_TOKEN}; or {elsewhere}")
    if code == 404:
        return EnvironmentFault("Kaggle does not have this version of the data any more (HTTP 404)", hint=elsewhere)
    if code == 429:
        pause = str(response.headers.get("Retry-After", ""))
        when = f"in {pause} seconds" if pause.isdecimal() else "in some minutes"
        return EnvironmentFault("Kaggle has had too many requests (HTTP 429)", hint=f"{AGAIN}: {when}")
    return EnvironmentFault(f"Kaggle answers with HTTP {code}", hint=f"{AGAIN}; or {elsewhere}")


def _is_signed_in(response: Any) -> bool:
    return any("Authorization" in answer.request.headers for answer in (*response.history, response))


def _unreachable(error: Exception, elsewhere: str) -> EnvironmentFault:
    cause = getattr(error.args[0], "reason", None) if error.args else None
    names = {kind.__name__ for kind in (*type(error).__mro__, *type(cause).__mro__)}
    for name, why, hint in _LOST:
        if name in names:
            return EnvironmentFault(f"Kaggle cannot be reached: {why}", hint=hint or elsewhere)
    return EnvironmentFault(f"Kaggle cannot be reached: {type(error).__name__}", hint=elsewhere)
