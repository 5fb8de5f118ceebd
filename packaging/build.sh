#!/bin/sh
# Debian packages of this checkout into OUT (./do package): packaging/build.sh OUT [SUFFIX]. No root is needed. The version
# is meson's and, where git knows more, how far this commit is along; SUFFIX goes behind it.
set -eu
cd "$(dirname "$0")/.."
out=$1 suffix=${2:-}
mkdir -p "$out"
out=$(cd "$out" && pwd)
src=$out/source
version=$(sed -n "s/^project(.* version: '\([^']*\)'.*/\1/p" meson.build)
date=$(date -R)
if git rev-parse --git-dir >/dev/null 2>&1; then
	[ -n "$(git tag --points-at HEAD "v$version")" ] ||
		version=$version+git$(git rev-list --count HEAD).$(git rev-parse --short=8 HEAD)
	date=$(git log -1 --format=%cD)
fi
version=$version$suffix

rm -rf "$src"
mkdir -p "$src"
sh web/build.sh "$out/web"
tar -c --exclude=./.git --exclude='./build*' --exclude=./run --exclude=./web/node_modules . | tar -x -C "$src"
[ ! -f "$out/web/index.html" ] || cp -R "$out/web" "$src/web-built"
cp -R "$src/packaging/debian" "$src/debian"
cat >"$src/debian/changelog" <<TXT
merlon ($version) unstable; urgency=medium

  * Built from the checkout; what changed is in CHANGELOG.md.

 -- The Merlon maintainers <maintainers@merlon.invalid>  $date
TXT
rm -f "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
(cd "$src" && DEB_BUILD_OPTIONS="parallel=$(nproc) nocheck" dpkg-buildpackage -b -us -uc) >"$out/build.log" 2>&1 || {
	tail -n 40 "$out/build.log"
	echo "package: not built; all of it is in $out/build.log"
	exit 1
}
rm -rf "$src"
ls "$out"/*.deb
