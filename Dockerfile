# olistctl from its wheel: `python -m build --wheel`, then `docker build -t olistctl .` (docs/orchestration.md).
FROM python:3.12-slim

COPY dist/olistctl-*.whl constraints.txt /tmp/
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt "$(echo /tmp/olistctl-*.whl)[notify,report]" \
    && rm /tmp/olistctl-*.whl /tmp/constraints.txt \
    && useradd --create-home --uid 1000 olist

USER olist
WORKDIR /srv/olist
ENTRYPOINT ["olistctl"]
