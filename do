#!/bin/sh
# Merlon's front door. Plain sh: a bare Debian has no make.
set -eu
cd "$(dirname "$0")"

build_packages="gcc libc6-dev meson ninja-build pkg-config libssl-dev liblmdb-dev libsqlite3-dev libyaml-dev
  libjansson-dev libseccomp-dev libusrsctp-dev libsodium-dev libmicrohttpd-dev libcurl4-openssl-dev libpcap-dev
  libbpf-dev libxdp-dev libhyperscan-dev libndpi-dev libipsec-mb-dev libroaring-dev libp11-kit-dev nettle-dev libosmocore-dev liboath-dev
  libfido2-dev libcbor-dev"
test_packages="python3 python3-pytest python3-pytest-rerunfailures python3-scapy python3-lmdb python3-jwt python3-cryptography jose tshark libwireshark-data freediameterd freediameter-extensions
  libfreediameter-dev libosmo-gsup-client-dev osmo-sgsn osmo-ggsn iproute2 openssl procps curl hostapd eapoltest softhsm2 opensc gdb"
bench_packages="osmo-hlr wrk libndpi-bin wireshark-common"
# A kernel and osmo-stp are fetched besides, for a guest; they are not installed.
slow_packages="qemu-system-x86 cpio iproute2 libosmo-sigtran7 libosmovty9"
# debootstrap, systemd-container and the rest: for the test, which boots a Debian of its own.
package_packages="debhelper dpkg-dev fakeroot lintian debootstrap systemd-container util-linux"
web_packages="nodejs npm"       # the portal's pages
page_packages="chromium"        # and what their tests look at them with
fuzz_packages="clang libclang-rt-14-dev"
B=${BUILD:-build}

usage() {
	cat <<'TXT'
./do run       install what is needed, build, start every role with a demo network
./do test      build and run all tests: unit, sanitizers, fuzz corpora, real peers
./do test slow what needs another kernel: SCTP of Linux and osmo-stp in QEMU
./do build     build only
./do bench [NAME]   benchmarks, each beside a peer or the bare loopback limit
./do fuzz [SECONDS] [NAME...]   fuzz every target, or these, with libFuzzer (60 s each); a table at the end
./do docs      regenerate reference and manual pages from the tables
./do package   Debian packages, into ./build-package; "./do package test" installs, upgrades and purges them
./do clean     remove build folders and ./run
TXT
}

need() { # need PACKAGE...: install by apt what is missing
	missing=
	for p in "$@"; do
		dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || missing="$missing $p"
	done
	[ -z "$missing" ] && return 0
	echo "installing:$missing"
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	export DEBIAN_FRONTEND=noninteractive
	$sudo apt-get update -qq
	# shellcheck disable=SC2086
	$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

configure() { # configure DIR OPTION...
	dir=$1
	shift
	[ -f "$dir/build.ninja" ] || meson setup "$dir" "$@" >"$dir.log" 2>&1 || {
		cat "$dir.log"
		exit 1
	}
}

build() {
	# shellcheck disable=SC2086
	need $build_packages
	configure "$B"
	ninja -C "$B" | tail -n 3
}

pages() { # pages [--tests]: the portal's pages, into $B/web; without npm the API serves alone
	# shellcheck disable=SC2086
	command -v npm >/dev/null || need $web_packages || echo "no Node.js and npm to be had here"
	sh web/build.sh "$B/web" "$@"
}

run() {
	build
	pages
	case " $* " in
	*" --config "*) ;;
	*) set -- --config share/demo/merlon.yaml "$@" ;; # SS7 too
	esac
	exec "$B/src/cli/merlon" run --demo --data ./run "$@"
}

# Count the tests of a meson test log: "Ok: 12", "Fail: 0" ...
tally() {
	log=$1
	passed=$((passed + $(sed -n 's/^Ok: *//p' "$log" | tail -n 1)))
	failed=$((failed + $(sed -n 's/^\(Fail\|Timeout\|Unexpected Pass\): *//p' "$log" | awk '{s+=$1} END{print s+0}')))
	skipped=$((skipped + $(sed -n 's/^Skipped: *//p' "$log" | awk '{s+=$1} END{print s+0}')))
}

run_suite() { # run_suite DIR ARGS...
	dir=$1
	shift
	meson test -C "$dir" --print-errorlogs --num-processes 2 "$@" >"$dir.test.log" 2>&1 || true
	sed -n '/^>>> /,/^[0-9]*\/[0-9]* /p' "$dir.test.log" | head -n 400 # what the failed ones printed
	sed -n '/^Summary of Failures/,$p' "$dir.test.log" | head -n 100
	grep -q '^Ok:' "$dir.test.log" || { # the build itself failed
		cat "$dir.test.log"
		failed=$((failed + 1))
		return 0
	}
	tally "$dir.test.log"
}

test_all() {
	# shellcheck disable=SC2086
	need $build_packages $test_packages
	passed=0 failed=0 skipped=0
	build # meson test builds only what its own tests run
	echo "== optimised"
	run_suite "$B"
	echo "== AddressSanitizer and UndefinedBehaviorSanitizer"
	configure "$B-asan" -Db_sanitize=address,undefined
	run_suite "$B-asan" --suite unit --suite fuzz
	echo "== real peers"
	configure "$B-compromise" -Dcompromise=true # what tests/peer/test_compromise.py attacks with
	ninja -C "$B-compromise" src/cli/merlon | tail -n 1
	# shellcheck disable=SC2086
	need $page_packages || echo "no Chromium to be had here"
	pages --tests
	junit="$B/peer.xml"
	rm -f "$junit"
	# Debian's Python, whatever else is first in PATH: the packages above are for it.
	MERLON="$PWD/$B/src/cli/merlon" /usr/bin/python3 -m pytest -q -p no:cacheprovider --junitxml="$junit" tests/peer || true
	python3 - "$junit" >"$B/peer.count" <<'PY' || echo "0 1 0" >"$B/peer.count"
import sys, xml.etree.ElementTree as t
s = next(t.parse(sys.argv[1]).getroot().iter("testsuite"))
bad, skip = int(s.get("failures")) + int(s.get("errors")), int(s.get("skipped"))
print(int(s.get("tests")) - bad - skip, bad, skip)
PY
	read -r p f s <"$B/peer.count"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}

# Alone in a network of its own, as root: tap devices, raw SCTP.
test_slow() {
	# shellcheck disable=SC2086
	need $build_packages $test_packages $slow_packages
	build
	python3 tests/slow/guest.py "$B/slow"
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	# shellcheck disable=SC2016
	$sudo env MERLON="$PWD/$B/src/cli/merlon" unshare -n sh -c 'ip link set lo up; exec "$@"' sh /usr/bin/python3 -m pytest \
		-q -rs -p no:cacheprovider tests/slow
}

fuzz() {
	# shellcheck disable=SC2086
	need $build_packages $fuzz_packages
	[ -f build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined \
		-Db_lundef=false >build-fuzz.log 2>&1 || { cat build-fuzz.log; exit 1; }
	# shellcheck disable=SC2046
	ninja -C build-fuzz $(ninja -C build-fuzz -t targets all | sed -n 's/^\(src[a-z/]*fuzz_[a-z0-9]*\): .*/\1/p') >build-fuzz.log || { cat build-fuzz.log; exit 1; }
	seconds=60
	case "${1:-}" in
	[0-9]*)
		seconds=$1
		shift
		;;
	esac
	python3 tool/fuzz build-fuzz "$seconds" "$@"
}

bench() {
	if [ $# = 0 ]; then
		for f in bench/*.sh; do
			basename "$f" .sh
		done
	else
		name=$1
		shift
		# shellcheck disable=SC2086
		need $build_packages $test_packages $bench_packages
		build
		exec sh "bench/$name.sh" "$B" "$@"
	fi
}

package() {
	# shellcheck disable=SC2086
	need $build_packages $package_packages
	case "${1:-}" in
	"") packaging/build.sh build-package ;;
	test) packaging/test.sh build-package ;;
	*) usage >&2 && exit 2 ;;
	esac
}

docs() {
	build
	python3 tool/docs "$B/src/cli/merlon"
}

case "${1:-}" in
build)
	build
	pages
	;;
run | bench | fuzz | docs | package)
	cmd=$1
	shift
	"$cmd" "$@"
	;;
test) if [ "${2:-}" = slow ]; then test_slow; else test_all; fi ;;
clean) rm -rf build build-* run web/node_modules ;;
-h | --help | help | "") usage ;;
*)
	usage >&2
	exit 2
	;;
esac
