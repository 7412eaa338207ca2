"""What stands there now: who writes, who watches, what was left, and the warehouse itself."""

from __future__ import annotations

from olistctl import journal, ledger
from olistctl.config import Settings
from olistctl.diagnosis.check import WARNING, Answer
from olistctl.heartbeat import read_heartbeat, watch_folder
from olistctl.warehouse import holder_of, read_only
from olistctl.writing import has_leftovers


def lock(settings: Settings) -> Answer:
    """Tell which command writes to the warehouse now."""
    holder = holder_of(settings.state_dir)
    if holder is None:
        return Answer("free")
    hint = "wait for it to end, or let a command wait: --wait SECONDS"
    return Answer(f"held by {holder}", WARNING, str(settings.state_dir), hint)


def watcher(settings: Settings) -> Answer:
    """Tell whether a watcher lives, and whether it gets on."""
    state = read_heartbeat(watch_folder(settings.state_dir))
    if state is None:
        return Answer("none has been started")
    if state.is_gone:
        return Answer(state.summary, WARNING, next="olistctl watch")
    if state.is_late:
        return Answer(state.summary, WARNING, next=f"end it (kill {state.pid}) and start it anew: olistctl watch")
    if state.is_alive and state.failure:
        return Answer(f"{state.summary}; its last run failed: {state.failure}", WARNING, next="olistctl status")
    return Answer(state.summary)


def leftovers(settings: Settings) -> Answer:
    """Tell what a run has left that did not end, which the next command tidies up."""
    if not has_leftovers(settings):
        return Answer("none")
    runs = ", ".join(run.run_id for run in journal.read_journal(settings.journal_dir))
    left = [f"runs for the ledger: {runs}"] if runs else []
    if settings.stage_dir.exists():
        left.append(f"a stage in {settings.stage_dir}")
    return Answer(f"{'; '.join(left)}; the next command that writes clears them up")


def warehouse(settings: Settings) -> Answer:
    """Check that the warehouse can be read, and that it is one of olistctl."""
    file = settings.warehouse
    if not file.exists():
        return Answer("none yet; olistctl run makes it", where=str(file))
    with read_only(file) as connection:
        if not ledger.is_present(connection):
            hint = "if it is no warehouse of olistctl, point `warehouse` in config/olistctl.yml at another file"
            return Answer("a DuckDB database that olistctl has not published", WARNING, str(file), hint)
        is_current = ledger.is_current(connection)
        published = ledger.last_publication(connection)
    told = [f"{file.stat().st_size / 1e6:,.1f} MB"]
    told += [f"published {published:%Y-%m-%d %H:%M:%S} UTC"] if published else []
    told += [] if is_current else ["its ledger is of an older release, and the next command that writes renews it"]
    return Answer(", ".join(told), where=str(file))
