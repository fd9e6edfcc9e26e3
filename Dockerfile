# syntax=docker/dockerfile:1
# The image of API, workers and commands. BASE is Python's image; the workflow that publishes pins it by its digest.
# .ci/image.py does all the work, and `make image-steps` plays it without Docker.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
ENV UV_CACHE_DIR=/cache/uv PIP_CACHE_DIR=/cache/pip npm_config_cache=/cache/npm
COPY requirements.lock requirements-bootstrap.lock requirements.image.lock pyproject.toml README.md LICENSE ./
COPY .ci .ci
COPY core core
COPY tenants tenants
COPY billing billing
COPY plugins plugins
COPY migrations migrations
COPY iit_sdk iit_sdk
RUN --mount=type=cache,target=/cache python .ci/setup.py .venv
RUN --mount=type=cache,target=/cache .venv/bin/python .ci/image.py /app

FROM ${BASE}
# Libraries of numerical packages; no compiler, no tool that installs Python's packages.
RUN apt-get update && apt-get install --no-install-recommends -y libgomp1 && rm -rf /var/lib/apt/lists/*
RUN python -m pip uninstall --yes --quiet setuptools wheel pip
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin iit \
    && install -d -o iit -g iit /var/lib/iit /mnt/files
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp \
    IIT_ENVIRONMENT=production IIT_LOG_FORMAT=json IIT_STATE_DIR=/var/lib/iit
WORKDIR /app
USER 10001:10001
EXPOSE 8000 9000
CMD ["iit", "serve", "--host", "0.0.0.0"]
