"""The addresses of notifications: where they come from, and how little of them is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from olistctl.config.channels import TAGS, channels_of_text, shown
from olistctl.config.settings import Settings, load_settings, values_of
from olistctl.errors import ConfigError
from olistctl.results import to_plain

VARIABLE = "OLISTCTL_NOTIFY_CHANNELS"


def load(tmp_path: Path, text: str, **environ: str) -> Settings:
    file = tmp_path / "olistctl.yml"
    file.write_text(text)
    return load_settings(file, environ=environ)


def listed(*items: str) -> str:
    return "notify:\n  channels:\n" + "".join(f"    - {item}\n" for item in items)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("json://user:secret@example.org:8080/secret?+X-Key=secret", "json://example.org"),
        ("JSONS://example.org", "jsons://example.org"),
        ("json://[::1]:80/secret", "json://[::1]"),
        ("https://hooks.slack.com/services/secret", "https://hooks.slack.com"),
        ("mailtos://user:secret@example.org?to=a@b.org", "mailtos://example.org"),
        ("mailto://127.0.0.1:25?from=a@b.org&to=c@d.org", "mailto://127.0.0.1"),
        ("slack://secret/secret/secret", "slack://…"),
        ("tgram://secret/12", "tgram://…"),
        ("jira://secret/", "jira://…"),
        ("json://user:sec/ret@example.org", "json://…"),
        ("json://sec?ret@example.org", "json://…"),
        ("json://sec#ret@example.org", "json://…"),
        ("json://sec/=ret@example.org", "json://…"),
        ("json://sec?=ret@example.org", "json://…"),
        ("json://us er:secret@", "json://…"),
        ("json://", "…"),
        ("secret", "…"),
        ("sec ret://example.org", "…"),
        ("", "…"),
    ],
)
def test_only_scheme_and_host_are_shown(url: str, name: str) -> None:
    assert shown(url) == name


def test_the_file_lists_addresses_with_their_tags(tmp_path: Path) -> None:
    text = listed("url: json://a/${PATH_OF_A}", "{url: '${B}', tags: [ticket]}")
    settings = load(tmp_path, text, PATH_OF_A="hook", B="mailto://b?to=x@y")
    assert [(one.url, one.tags) for one in settings.notify_channels] == [
        ("json://a/hook", TAGS),
        ("mailto://b?to=x@y", ("ticket",)),
    ]
    assert [one.name for one in settings.notify_channels] == ["json://a", "mailto://b"]


def test_the_variable_takes_the_place_of_the_file(tmp_path: Path) -> None:
    said = " json://b/?x=y\n alert,ticket=json://${HOST}/ "
    settings = load(tmp_path, listed("url: json://a"), HOST="c", **{VARIABLE: said})
    assert [(one.url, one.tags) for one in settings.notify_channels] == [
        ("json://b/?x=y", TAGS),
        ("json://c/", ("alert", "ticket")),
    ]
    assert load(tmp_path, listed("url: json://a"), **{VARIABLE: "none"}).notify_channels == ()


def test_no_form_of_a_setting_shows_a_secret(tmp_path: Path) -> None:
    settings = load(tmp_path, listed("url: json://user:secret@host/secret?secret=secret"))
    for text in (str(settings), str(values_of(settings)), json.dumps(to_plain(settings))):
        assert "secret" not in text
        assert "json://host" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (listed("url: json://${NO_SUCH}@host/"), "notify.channels: the environment variable NO_SUCH is not set"),
        (listed("url: ${EMPTY}"), "notify.channels: the environment variable EMPTY is not set"),
        (listed("url: json://a", "url: ${SECRET}"), "notify.channels: channel 2 is no address"),
        (listed("tags: [alert]"), "the key 'url' is missing"),
        (listed("{url: json://a, tag: alert}"), "unknown key 'tag'"),
        (listed("{url: json://a, tags: [alarm]}"), "'alarm' is not one of alert, ticket, completed"),
        (listed("{url: json://a, tags: []}"), "expected some of alert, ticket, completed"),
        (listed("json://a"), "expected a mapping, found 'json://a'"),
        ("notify: {channels: json://secret}", "expected a list"),
        ("notify: {channels: [], quiet_minutes: -1}", "notify.quiet_minutes: expected a number from 0"),
    ],
)
def test_a_wrong_channel_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, SECRET="secret", EMPTY=" ")
    assert message in caught.value.message
    assert caught.value.where


@pytest.mark.parametrize("said", ["", "alarm=json://secret", "secret", "=secret"])
def test_a_wrong_variable_is_not_repeated(tmp_path: Path, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "version: 1", **{VARIABLE: said})
    assert "secret" not in str(caught.value)
    assert VARIABLE in str(caught.value.where)


def test_a_tag_needs_no_variable_of_its_own() -> None:
    (one,) = channels_of_text("completed=${URL}")
    assert (one.tags, one.url) == (("completed",), "${URL}")
