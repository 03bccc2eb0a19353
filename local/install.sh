#!/usr/bin/env bash
# Installs what the local run needs and this machine does not have; says nothing and does nothing when all is there.
#
#   local/install.sh            components (PostgreSQL, Kafka, Connect, Redis, Prometheus) and the Python environment
#   local/install.sh --python   the Python environment only
#   local/install.sh --dev      everything, with the development tools on top: Python's, Node's for the Bruno collection,
#                               and, where Go is installed, two that check a cluster's manifests
#
# Touches: system packages (never a server that exists, none is started), .venv, .local/lib, .local/tools.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly LIB=.local/lib TOOLS=.local/tools/bin VENV=.venv NODE=.venv/node SUMS=local/kafka/sha256sums
readonly CREATECLUSTER=/etc/postgresql-common/createcluster.d/signal-pipeline.conf POLICY=/usr/sbin/policy-rc.d
WITH_COMPONENTS=yes WITH_DEV=no
export PATH="$PATH:/usr/sbin:/sbin"

say() { printf '  %s\n' "$*" >&2; }
fail() { printf 'install: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# --- system packages -------------------------------------------------------------------------------------------------

java_is_new_enough() {
  local version
  have java || return 1
  version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
  [[ ${version:-0} -ge 17 ]]  # Kafka 4 needs Java 17
}

python_has_venv() { python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || have initdb; }

has_jars() { [[ -f $LIB/.verified && "$(cat "$LIB/.verified")" == "$(sha256sum <"$SUMS")" ]]; }

node_lock_sum() { cat requirements/node/package-lock.json requirements/node/.npmrc | sha256sum; }
has_node_tools() { have node && [[ -f $NODE/.installed && "$(cat "$NODE/.installed")" == "$(node_lock_sum)" ]]; }

node_is_new_enough() { have node && [[ $(node -p 'process.versions.node.split(".")[0]') -ge 18 ]]; }  # Bruno needs 18

missing_node() {
  node_is_new_enough || echo nodejs
  have npm || echo npm
}

# Prints the Debian packages that are missing, one a line.
missing_packages() {
  [[ -x $VENV/bin/python ]] || python_has_venv || { echo python3; echo python3-venv; }
  [[ $WITH_DEV == no ]] || has_node_tools || missing_node
  [[ $WITH_COMPONENTS == yes ]] || return 0
  has_postgres || echo postgresql
  have redis-server || echo redis-server
  have prometheus || echo prometheus
  # A Java that was found before and is too old shows here; the check itself costs a JVM start, so it is done once.
  [[ -f $LIB/.java-ok ]] || java_is_new_enough || echo openjdk-17-jre-headless
  has_jars || have mvn || echo maven
}

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

# Debian starts a server when its package is installed: forbid that, and the default PostgreSQL cluster, meanwhile.
forbid_server_start() {
  if [[ ! -e $POLICY ]]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
    OURS+=("$POLICY")
  fi
  if [[ ! -e $CREATECLUSTER ]]; then
    as_root mkdir -p "${CREATECLUSTER%/*}"
    echo 'create_main_cluster = false' | as_root tee "$CREATECLUSTER" >/dev/null
    OURS+=("$CREATECLUSTER")
  fi
}

OURS=()
remove_ours() {
  local file
  for file in "${OURS[@]}"; do as_root rm -f "$file"; done
  OURS=()
}
trap remove_ours EXIT

install_packages() {
  local -a packages=("$@")
  local command="apt-get install --no-install-recommends ${packages[*]}"
  have apt-get || fail "missing: ${packages[*]} (Debian names). Install them with this system's package manager, then repeat."
  [[ $EUID -eq 0 ]] || have sudo || fail "missing: ${packages[*]}. Run as root: $command"
  say "installing ${packages[*]} with apt-get"
  forbid_server_start
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null || say "apt-get update failed; trying with the old lists"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null \
    || fail "apt-get failed (its message is above). Run as root: $command"
  remove_ours
  leave_services_off "${packages[@]}"
}

# A service that this script brought must not take the default ports at the next boot either.
leave_services_off() {
  local package
  [[ -d /run/systemd/system ]] || return 0
  for package in "$@"; do
    case $package in redis-server | prometheus) as_root systemctl disable --quiet "$package" || true ;; esac
  done
}

# --- Python ----------------------------------------------------------------------------------------------------------

# Installs a lock file once: the stamp keeps its checksum.
install_lock() {
  local lock=$1 stamp=$VENV/.installed-$(basename "$1" .txt) sum
  sum=$(sha256sum "$lock" pyproject.toml | sha256sum)
  [[ -f $stamp && "$(cat "$stamp")" == "$sum" ]] && return 0
  say "installing $lock"
  "$VENV/bin/python" -m pip install --quiet --require-hashes -r "$lock" || fail "pip could not install $lock (see above)"
  if [[ $lock == requirements/runtime.txt ]]; then
    "$VENV/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable . || fail "pip could not install this project"
  fi
  printf '%s\n' "$sum" >"$stamp"
}

install_python() {
  if [[ ! -x $VENV/bin/python ]]; then
    say "creating $VENV"
    python3 -m venv "$VENV" || fail "python3 -m venv failed; Python 3.11 or newer with venv is needed"
  fi
  install_lock requirements/runtime.txt
  [[ $WITH_DEV == no ]] || install_lock requirements/dev.txt
}

# --- Node ------------------------------------------------------------------------------------------------------------

# What tests alone need; package scripts are not run (.npmrc), integrity is checked against the lock.
install_node() {
  has_node_tools && return 0
  node_is_new_enough || fail "Node.js 18 or newer must come first on PATH"
  say "installing requirements/node with npm (190 MB)"
  rm -rf "$NODE"
  mkdir -p "$NODE"
  cp requirements/node/package.json requirements/node/package-lock.json requirements/node/.npmrc "$NODE"
  npm ci --prefix "$NODE" --loglevel error >/dev/null || fail "npm could not install requirements/node (see above)"
  node_lock_sum >"$NODE/.installed"
}

# --- Go --------------------------------------------------------------------------------------------------------------

go_is_new_enough() {
  local version
  have go || return 1
  version=$(go env GOVERSION 2>/dev/null)
  [[ $version =~ ^go1\.([0-9]+) && ${BASH_REMATCH[1]} -ge 24 ]] || [[ $version =~ ^go[2-9]\. ]]
}

# Installs a program of Go once; the version is in its stamp. Without it the tests that need it are skipped, and say so.
install_go_tool() {
  local name=$1 package=$2 version=$3 stamp
  stamp=$TOOLS/.$name-$version
  [[ -x $TOOLS/$name && -f $stamp ]] && return 0
  say "installing $name $version with Go"
  mkdir -p "$TOOLS"
  GOBIN="$PWD/$TOOLS" go install "$package@$version" || { say "go could not install $name (see above); its tests are skipped"; return 0; }
  touch "$stamp"
}

install_cluster_tools() {
  go_is_new_enough || return 0
  install_go_tool kubeconform github.com/yannh/kubeconform/cmd/kubeconform v0.8.0
  install_go_tool kustomize sigs.k8s.io/kustomize/kustomize/v5 v5.8.1
}

# --- jars ------------------------------------------------------------------------------------------------------------

# Downloads beside, verifies, then moves into place: an interrupted download is never taken for a complete one.
install_jars() {
  local partial=$LIB.partial
  has_jars && return 0
  say "downloading Kafka, Connect and Debezium with Maven (60 MB)"
  rm -rf "$partial"
  mkdir -p "$partial"
  mvn -B -q -Dstyle.color=never -f local/kafka/pom.xml -Dlib="$PWD/$partial" validate || fail "Maven could not download the jars (see above)"
  (cd "$partial" && sha256sum --check --quiet --strict) <"$SUMS" \
    || fail "a downloaded file differs from $SUMS: do not use it; repeat, and if it stays, compare with the publisher's checksums"
  [[ $(find "$partial" -type f | wc -l) -eq $(wc -l <"$SUMS") ]] || fail "Maven resolved files that $SUMS does not list"
  tar -xzf "$partial"/plugins/*.tar.gz -C "$partial/plugins"
  rm "$partial"/plugins/*.tar.gz
  sha256sum <"$SUMS" >"$partial/.verified"
  rm -rf "$LIB"
  mv "$partial" "$LIB"
}

# --- all -------------------------------------------------------------------------------------------------------------

for option in "$@"; do
  case $option in
    --dev) WITH_DEV=yes ;;
    --python) WITH_COMPONENTS=no ;;
    *) fail "unknown option $option; known: --dev --python" ;;
  esac
done

mkdir -p .local
exec 9>.local/install.lock
if have flock; then flock 9; fi  # a second install waits for the first

mapfile -t packages < <(missing_packages)
[[ ${#packages[@]} -eq 0 ]] || install_packages "${packages[@]}"
install_python
[[ $WITH_DEV == no ]] || { install_node; install_cluster_tools; }
if [[ $WITH_COMPONENTS == yes ]]; then
  install_jars
  [[ -f $LIB/.java-ok ]] || { java_is_new_enough || fail "Java 17 or newer must come first on PATH"; touch "$LIB/.java-ok"; }
fi
