# `make demo` and `make test` set everything up; Python 3.11+ and a package registry are all they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What the tests of an orchestrator, or of Spark, need in its environment beside its extra.
TEST_TOOLS := aiosmtpd hypothesis pytest pytest-xdist
TEST_TOOLS_spark := pyspark s3fs 'moto[server]'
SAMPLE_ORDERS ?= 2000
SOURCE_DIR ?= data/source
# Modules are compiled once, not by each of the thousand processes that the tests start.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-dagster test-watchdog test-airflow test-spark torture lint docs bench bench-spark clean

help:  ## show what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 15

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "olistctl needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# An orchestrator brings hundreds of packages, some in other versions: each has an environment of its own.
.venv-%/.ready: pyproject.toml constraints-%.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-$*.txt --editable '.[$*]' $(TEST_TOOLS) $(TEST_TOOLS_$*)
	@touch $@

demo: $(VENV)/.ready  ## build a warehouse from data/source; without data, from a made-up sample
	@test -n "$$(ls $(SOURCE_DIR)/*.csv 2>/dev/null)" || $(BIN)/olistctl sample --orders $(SAMPLE_ORDERS) --out $(SOURCE_DIR)
	$(BIN)/olistctl run --full-refresh --source-dir $(SOURCE_DIR)

test: lint  ## lint, types, unit and integration tests, the dbt project on a generated sample
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

test-dagster: .venv-dagster/.ready  ## Dagster itself, in its own environment: all assets, failing checks, its server
	.venv-dagster/bin/python -m pytest --numprocesses 2 --dist loadgroup tests/orchestration/test_dagster.py

test-watchdog: .venv-dagster/.ready  ## the watcher with the older watchdog that Dagster asks for
	.venv-dagster/bin/python -m pytest --numprocesses 2 --dist loadgroup tests/unit/test_intake.py tests/integration/test_watch.py

test-airflow: .venv-airflow/.ready  ## Airflow itself, in its own environment: the DAG runs to its end, fails, mails
	.venv-airflow/bin/python -m pytest --numprocesses 2 --dist loadgroup tests/orchestration/test_airflow.py

test-spark: .venv-spark/.ready  ## the models on a real Spark cluster on loopback, row for row (Java 17; Iceberg's jar from Maven Central); ONLY=… picks some
	@java -version >/dev/null 2>&1 || { echo "make test-spark needs Java 17: install a JRE and set PATH" >&2; exit 2; }
	.venv-spark/bin/python -m pytest tests/spark tests/unit/test_spark.py $(if $(ONLY),-k '$(ONLY)')

torture: $(VENV)/.ready  ## the long version of the tests of damage, kills, full disks and busy readers (about an hour)
	TORTURE=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadgroup tests/torture tests/integration

lint: $(VENV)/.ready  ## style, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.ready  ## write the parts of the documentation that the code knows: commands, data dictionary
	$(BIN)/python -m tests.documents

bench: $(VENV)/.ready  ## measure a full refresh against the design's scripts, dlt + dbt and the SQL floor, and small runs against a full one (half an hour)
	$(BIN)/python -m tests.bench --peer
	$(BIN)/python -m tests.bench.startup
	$(BIN)/python -m tests.bench.deliveries --times 1 10
	$(BIN)/python -m tests.bench.watching
	$(BIN)/python -m tests.bench.anomalies

bench-spark: .venv-spark/.ready  ## time against size on DuckDB and on a Spark cluster on loopback (half an hour)
	.venv-spark/bin/python -m tests.bench.spark

clean:  ## remove the virtual environment and what was built; data stays
	rm -rf $(VENV) .venv-dagster .venv-airflow .venv-spark .cache dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
