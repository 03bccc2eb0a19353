#!/usr/bin/env bash
# Renews the locked requirements from pyproject.toml, requirements/*.in and requirements/node/package.json.
# Needs npm and uv on PATH (pip install uv).
set -euo pipefail
cd "$(dirname "$0")/.."
command -v uv >/dev/null || { echo "uv is missing; install it with: pip install uv" >&2; exit 1; }
lock() {
  uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 "$@"
}
lock --extra framework pyproject.toml requirements/build.in --output-file requirements/runtime.txt
lock --constraint requirements/runtime.txt --extra framework --extra otel pyproject.toml requirements/build.in \
  --output-file requirements/otel.txt
lock --constraint requirements/otel.txt requirements/dev.in --output-file requirements/dev.txt
lock requirements/cloudevents2.in --output-file requirements/cloudevents2.txt
(cd requirements/node && npm install --package-lock-only --silent)  # .npmrc keeps registry addresses out
