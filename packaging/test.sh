#!/bin/sh
# Does the package do what an operator expects of one? packaging/test.sh OUT (./do package test), as root. A Debian 12 of its
# own is made by debootstrap (once, kept in OUT/base), copied, and booted with systemd as PID 1 in a container without a
# network; in it the package is installed, serves, is upgraded while it serves, removed and purged. A line a step.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
base=$out/base root=$out/root
mirror=${MIRROR:-http://deb.debian.org/debian}
sims=300 moving=100 # SIMs attached before the upgrade, and those that go on attaching while it happens
failed=0 nspawn=

say() { printf '%-6s %s\n' "$@"; }

step() { # step TEXT COMMAND...: what it printed is shown when it fails
	text=$1
	shift
	code=0
	"$@" >"$out/step.log" 2>&1 || code=$?
	if [ "$code" = 0 ]; then
		say ok "$text"
	else
		say FAILED "$text ($code)"
		sed 's/^/       /' "$out/step.log" | tail -n 25
		failed=$((failed + 1))
	fi
}

inside() { timeout --foreground 300 nsenter -t "$leader" -m -u -i -n -p -r -w "$@"; }
merlon() { inside merlon "$@"; }

eventually() { # eventually SECONDS COMMAND...
	end=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$end" ] || return 1
		sleep 0.2
	done
}

# A Debian with systemd and the libraries that the package asks for.
make_base() {
	if [ ! -e "$base/.whole" ]; then
		rm -rf "$base"
		debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,lmdb-utils,curl bookworm "$base" \
			"$mirror" && touch "$base/.whole" || return 1
	fi
	cp -L /etc/resolv.conf "$base/etc/resolv.conf"
	# shellcheck disable=SC2046
	chroot "$base" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		$(dpkg-deb -f "$first" Depends | tr ',' '\n' | sed 's/[(|].*//')
}

boot() {
	rm -rf "$root"
	cp -a "$base" "$root"
	cp "$first" "$second" "$root/root/"
	# Our own sandbox needs landlock, which nspawn keeps from its containers unless asked.
	systemd-nspawn --quiet --boot -D "$root" -M merlon-package --register=no --keep-unit --private-network \
		--console=read-only --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" \
		>"$out/boot.log" 2>&1 </dev/null &
	nspawn=$!
	eventually 20 has_leader && eventually 60 is_booted
}
has_leader() { leader=$(cat "/proc/$nspawn/task/$nspawn/children" 2>/dev/null | cut -d' ' -f1) && [ -n "$leader" ]; }
is_booted() { inside systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; }

halt() {
	[ -n "$nspawn" ] || return 0
	kill "$nspawn" 2>/dev/null || true
	(sleep 30 && kill -KILL "$nspawn" 2>/dev/null) &
	killer=$!
	wait "$nspawn" 2>/dev/null || true
	kill "$killer" 2>/dev/null || true
	nspawn=
}
trap 'halt; rm -rf "$root"' EXIT
trap 'exit 1' INT TERM

apt() { inside env DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Use-Pty=0 "$@" </dev/null; }
ready() { [ "$(inside curl -s -m 5 http://127.0.0.1:9464/readyz)" = ready ]; }
all_active() { for r in watch keeper home edge portal; do inside systemctl --quiet is-active "merlon-$r" || return 1; done; }

# Each role's process and its supervisor are the role's user alone, without capabilities, in a filter.
users() {
	for r in watch keeper home edge portal; do
		n=0
		uid=$(inside id -u "merlon-$r") || return 1
		for pid in $(inside cat "/sys/fs/cgroup/systemd/system.slice/merlon-$r.service/cgroup.procs" \
			2>/dev/null || inside cat "/sys/fs/cgroup/system.slice/merlon-$r.service/cgroup.procs"); do
			inside cat "/proc/$pid/status" >"$out/status" || return 1
			grep -E '^(Name|Uid|CapBnd|NoNewPrivs|Seccomp):' "$out/status" | tr '\n' ' '
			echo
			grep -q "^Uid:	$uid	$uid	$uid	$uid$" "$out/status" || return 1
			grep -q '^CapBnd:	0000000000000000' "$out/status" || return 1
			grep -q '^NoNewPrivs:	1' "$out/status" && grep -q '^Seccomp:	2' "$out/status" || return 1
			n=$((n + 1))
		done
		[ "$n" -ge 2 ] || return 1
	done
}

# What a role's user may read of the data directory by the modes of the files alone.
may() { inside setpriv --reuid="merlon-$1" --regid="merlon-$1" --init-groups test -r "/var/lib/merlon/$2"; }
rights() {
	may edge serving.mdb && may home serving.mdb || return 1
	for secret in registrations/data.mdb vault-auc/data.mdb master.key site.key keeper.key records.db spool events/events.jsonl; do
		inside test -e "/var/lib/merlon/$secret" || { echo "$secret is not there" && return 1; }
		! may edge "$secret" || { echo "edge may read $secret" && return 1; }
	done
	for secret in registrations vault-auc master.key site.key keeper.key records.db spool; do
		! may portal "$secret" || { echo "portal may read $secret" && return 1; }
	done
	for secret in master.key keeper.key records.db; do
		! may home "$secret" || { echo "home may read $secret" && return 1; }
	done
	for secret in registrations vault-auc master.key; do
		! may keeper "$secret" && ! may watch "$secret" || { echo "$secret is open" && return 1; }
	done
}

exposure() { # systemd's own mark, 0 (best) to 10
	for r in prepare watch keeper home edge portal; do
		mark=$(systemd-analyze security --offline=true --root="$root" "merlon-$r.service" 2>/dev/null |
			sed -n 's/.*Overall exposure level.*: \([0-9.]*\).*/\1/p')
		echo "merlon-$r $mark"
		[ -n "$mark" ] && [ "${mark%.*}" -lt 3 ] || return 1
	done
}

# The API's description and the pages, if they were built; the link is the portal's own and root's.
portal() {
	inside curl -sSk https://127.0.0.1:8443/api/v1/openapi.json >"$out/openapi.json" &&
		grep -q '"openapi"' "$out/openapi.json" && inside test -s /var/lib/merlon/portal/setup-link || return 1
	[ ! -d "$root/usr/share/merlon/web" ] || inside curl -sSk https://127.0.0.1:8443/ | grep -qi '<!doctype html'
}

# A first network, as docs/operations.md tells an operator, and SIMs with keys of their own.
provision() {
	merlon set network 99970 trust=own realm=epc.mnc070.mcc999.3gppnetwork.org addresses=127.0.0.0/8 clear_ok=yes &&
		merlon set network 00101 trust=trusted realm=epc.mnc001.mcc001.3gppnetwork.org addresses=127.0.0.0/8 \
			clear_ok=yes "apps=s6a s13" &&
		merlon set tenant meters &&
		merlon set profile meter tenant=meters priority=low rats=wb-eutran ul_bps=100000 dl_bps=100000 \
			apn1=meters.iot:ipv4:9:12:100000:100000 &&
		merlon set range 999700000000000 to=999709999999999 name=iot || return 1
	awk -v n="$((sims + moving))" 'BEGIN {
		srand(1)
		print "imsi,alg,k,opc,amf,tenant,profile"
		for (i = 1; i <= n; i++) {
			k = opc = ""
			for (j = 0; j < 4; j++) {
				k = k sprintf("%08x", int(rand() * 4294967296))
				opc = opc sprintf("%08x", int(rand() * 4294967296))
			}
			printf "99970%010d,milenage,%s,%s,8000,meters,meter\n", i, k, opc
		}
	}' >"$root/root/sims.csv"
	merlon import /root/sims.csv && eventually 20 keys_taken
}
keys_taken() { [ -z "$(inside find /var/lib/merlon/spool -name '*.keys')" ]; }

simulate() { merlon simulate --network 00101 --nodes 2 --quiet --json "$@"; }
attach() {
	simulate --group "meters=999700000000001:$sims" --window 2 --duration 8 >"$out/attach.json" || return 1
	cat "$out/attach.json"
	[ "$(registered | wc -l)" -ge "$sims" ]
}

# The rows of the registrations that the upgrade must not touch: key and value, as LMDB has them.
registered() {
	inside mdb_dump -p -s rows /var/lib/merlon/registrations | sed -n '/^HEADER=END/,/^DATA=END/p' |
		sed '1d;$d' | paste - - | sort
}
kept() {
	registered >"$out/after"
	lost=$(comm -23 "$out/before" "$out/after" | wc -l)
	echo "$(wc -l <"$out/before") registrations before, $(wc -l <"$out/after") after, $lost lost or changed"
	[ -s "$out/before" ] && [ "$lost" = 0 ]
}

same_answers() { # the last SIM still gets vectors, and its registration is alive: suspending it sends a CLR
	simulate --group "meters=999700000000001:10" --rate 5 --duration 6 >"$out/clr.json" &
	job=$!
	sleep 2
	merlon set subscription 999700000000003 life=suspended || return 1
	wait "$job" || return 1
	cat "$out/clr.json"
	grep -q '"clr": *[1-9]' "$out/clr.json"
}

starts() { for r in watch keeper home edge portal; do inside systemctl show -P ExecMainPID "merlon-$r"; done; }
version() { inside dpkg-query -W -f '${Version}' merlon; }

upgrade() {
	starts >"$out/old"
	simulate --group "meters=99970$(printf %010d $((sims + 1))):$moving" --rate 20 --duration 25 >"$out/moving.json" &
	job=$!
	sleep 3
	apt install -y "/root/$(basename "$second")" || return 1
	wait "$job" || true
	cat "$out/moving.json"
	starts >"$out/new"
	[ "$(version)" = "$(dpkg-deb -f "$second" Version)" ] && ! grep -qxFf "$out/old" "$out/new" &&
		merlon version | grep -qF "$(version)" && all_active
}

audited() { merlon audit --clause R-2.e && merlon audit --clause R-2.e | grep -q '5 roles: seccomp'; }

# Connections that were there stay: no peer comes or goes.
peers() { inside grep -c '"event":"edge.peer_' /var/lib/merlon/events/events.jsonl; }
reloaded() {
	before=$(peers)
	inside systemctl reload merlon-edge merlon-home && eventually 10 told && [ "$(peers)" = "$before" ] && ready
}
told() { inside journalctl -q -o cat -u merlon-edge | grep -q 'configuration reloaded'; }

removed() {
	apt remove -y merlon || return 1
	! inside test -e /usr/bin/merlon && ! inside pgrep -u merlon-edge,merlon-home,merlon-keeper,merlon-portal,merlon-watch || return 1
	registered >"$out/after" # the data stays
	cmp "$out/before.removed" "$out/after" && inside test -e /etc/merlon/merlon.yaml
}
again() { apt install -y "/root/$(basename "$second")" && eventually 30 ready && kept; }
purged() {
	apt purge -y merlon || return 1
	left=$(inside find / -xdev \( -path /proc -o -path /sys -o -path /root \) -prune -o -iname '*merlon*' -print |
		grep -v -E '^/var/(log|cache)/|^/run/(systemd|log)/')
	echo "left: $left"
	[ "$left" = /var/lib/merlon ] || return 1
	inside ls -A /var/lib/merlon
	[ "$(inside ls -A /var/lib/merlon)" = master.key ] && ! inside systemctl cat merlon-edge.service
}

[ "$(id -u)" = 0 ] || { echo "package test: boots a container, which needs root" >&2 && exit 2; }
mkdir -p "$out/1" "$out/2"
[ -n "${KEEP:-}" ] || # KEEP=1: the packages of the last time again
	step "builds, two versions, without root" sh -c "'$here/build.sh' '$out/1' && '$here/build.sh' '$out/2' +1"
first=$(ls "$out"/1/merlon_*.deb) second=$(ls "$out"/2/merlon_*.deb)
step "lintian finds no error" lintian --fail-on error "$out"/1/*.changes
say "" "a Debian 12 in $base (debootstrap, once) and what the package needs"
make_base >"$out/base.log" 2>&1 || { tail -n 20 "$out/base.log" && exit 1; }
step "a Debian 12 boots with systemd" boot
[ "$failed" = 0 ] || exit 1
step "apt installs it, no question asked" apt install -y "/root/$(basename "$first")"
step "all five services run and are ready" eventually 30 ready
step "each under its own user, no capabilities, filtered" users
cp "$out/step.log" "$out/users.log"
step "systemd-analyze security" exposure
sed 's/^/       /' "$out/step.log"
step "networks, a profile and $((sims + moving)) SIMs" provision
step "$sims devices attach, registered durably" attach
step "files: each user its own, edge none but the serving copy" rights
step "the portal answers over TLS, and the first person's link is there" portal
step "merlon audit sees the sandbox of each role" audited
registered >"$out/before"
step "upgrade while $moving devices go on attaching" upgrade
step "ready after the upgrade" eventually 30 ready
step "every registration is there, unchanged" kept
sed 's/^/       /' "$out/step.log"
step "answers go on; a CLR reaches its node" same_answers
step "reload drops no connection" reloaded
registered >"$out/before.removed"
step "remove stops all and keeps the data" removed
cp "$out/before.removed" "$out/before"
step "installed again, the registrations serve" again
step "purge leaves the master key and nothing else" purged
[ "$failed" = 0 ] && echo "package: every step passed" || echo "package: $failed steps failed"
[ "$failed" = 0 ]
