# shellcheck shell=bash
# What scripts/test and scripts/nightly share; sourced, not run.

skipped=()
began_names=()
began_pids=()
began_logs=()
began_at=()

skip() { # stage, reason
  skipped+=("$1: $2")
}

stage() { # name, command...
  local name=$1 start=$SECONDS
  shift
  echo "== test: $name"
  "$@"
  echo "== test: $name took $((SECONDS - start)) s"
}

# Starts a stage in the background. Its output is kept until `finish` prints it whole.
begin() { # name, command...
  local log
  log=$(mktemp)
  began_names+=("$1")
  began_logs+=("$log")
  began_at+=("$SECONDS")
  shift
  "$@" >"$log" 2>&1 &
  began_pids+=($!)
}

# Runs a command only where no other wants the processor.
idle() { chrt --idle 0 "$@"; }

end_begun() { kill "${began_pids[@]}" 2>/dev/null || true; }
trap end_begun EXIT

# Waits for all stages that were begun and prints each one's output, in the order in which they were begun.
finish() {
  local index failed=0
  for index in "${!began_names[@]}"; do
    local status=0
    wait "${began_pids[$index]}" || status=$?
    echo "== test: ${began_names[$index]} (in the background)"
    cat "${began_logs[$index]}"
    rm "${began_logs[$index]}"
    if [ "$status" != 0 ]; then
      echo "scripts/test: ${began_names[$index]} failed with $status" >&2
      failed=1
    fi
    echo "== test: ${began_names[$index]} was done $((SECONDS - began_at[index])) s after its start"
  done
  began_names=() began_pids=() began_logs=() began_at=()
  return "$failed"
}

# Lists what was skipped. With CI=true nothing may be skipped.
report() {
  if [ ${#skipped[@]} = 0 ]; then
    echo "== test: all passed, nothing skipped, in $SECONDS s"
    return
  fi
  echo "== test: passed in $SECONDS s; skipped:"
  printf '  - %s\n' "${skipped[@]}"
  if [ "${CI:-}" = true ]; then
    echo "$0: with CI=true nothing may be skipped" >&2
    exit 1
  fi
}

# Each entry names a Debian package and a program of it: the package is installed if the program cannot be found.
packages=(
  "chromium chromium" "curl curl" "firefox-esr firefox-esr" "git git" "jq jq" "libnss3-tools certutil" "nodejs node" "npm npm" "openssl openssl"
  "default-jdk-headless javac" "maven mvn" "golang-go go" "nghttp2-client h2load" "nginx-light nginx" "python3-venv python3" "slowhttptest slowhttptest"
  "sslscan sslscan" "testssl.sh testssl" "prometheus promtool" "prometheus-alertmanager prometheus-alertmanager" "shellcheck shellcheck" "valgrind valgrind"
  "webkit2gtk-driver WebKitWebDriver" "xvfb Xvfb"
)

missing_packages() {
  local entry
  for entry in "${packages[@]}"; do
    # Some programs are only in root's path.
    PATH=$PATH:/usr/sbin command -v "${entry#* }" >/dev/null || echo "${entry% *}"
  done
  [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || echo libnginx-mod-stream
  # Debian's python3 does not bring these modules.
  ! command -v python3 >/dev/null || python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

# Runs as root, or through sudo if it asks for no password: a test run never waits for a password.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_install() {
  command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

# Installs Debian packages that only one stage needs.
install_missing() { # package...
  dpkg --status "$@" >/dev/null 2>&1 || as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "$@"
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} = 0 ] && return
  if ! can_install; then
    echo "$0: ${missing[*]} missing: install with" >&2
    echo "  sudo apt-get install --yes --no-install-recommends ${missing[*]}" >&2
    echo "or run scripts/test --rust, which needs nothing but Rust" >&2
    exit 2
  fi
  as_root apt-get update --quiet
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
}

# The browsers' driver needs it; npm itself only warns.
node_major=20

require_node() {
  if ! node -e "process.exit(parseInt(process.versions.node) < $node_major ? 1 : 0)"; then
    echo "$0: node $(node --version) is too old: the browser tests need $node_major or newer" >&2
    exit 2
  fi
}

install_npm_packages() { npm ci --prefix e2e --no-audit --no-fund; }

find_browsers() {
  CHROMIUM=${CHROMIUM:-$(command -v chromium)}
  FIREFOX=${FIREFOX:-$(command -v firefox-esr)}
  export CHROMIUM FIREFOX
}

nats_server=v2.12.10 # the broker of clusters, a Go module; it needs Go 1.25, which an older Go fetches

# Installs the broker into a folder, unless NATS_SERVER names one.
install_nats_server() { # folder
  local folder=$1/nats-server-$nats_server
  [ -n "${NATS_SERVER:-}" ] || [ -x "$folder/nats-server" ] || GOBIN=$folder GOTOOLCHAIN=auto go install "github.com/nats-io/nats-server/v2@$nats_server"
}

find_nats_server() { # folder
  NATS_SERVER=${NATS_SERVER:-$1/nats-server-$nats_server/nats-server}
  export NATS_SERVER
}

# One file after the other, unless `at_once` says how many run at the same time.
node_tests() { node --test --test-concurrency="${at_once:-1}" --test-reporter=spec "$@"; }

# TEST_RECORDINGS may be relative to the caller's folder; tests run in other folders.
make_recordings_absolute() { # the caller's folder
  if [ -n "${TEST_RECORDINGS:-}" ] && [ -d "$1/$TEST_RECORDINGS" ]; then
    TEST_RECORDINGS=$(cd "$1/$TEST_RECORDINGS" && pwd)
    export TEST_RECORDINGS
  fi
  if [ -z "${TEST_RECORDINGS:-}" ]; then
    skip "recorded messages" "TEST_RECORDINGS does not name their folder"
  elif [ ! -d "$TEST_RECORDINGS" ]; then
    echo "$0: TEST_RECORDINGS=$TEST_RECORDINGS is not a folder" >&2
    exit 1
  fi
}
