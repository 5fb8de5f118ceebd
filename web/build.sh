#!/bin/sh
# The portal's pages: web/build.sh OUT [--tests]. Builds only when a source has changed. Without npm the API serves alone:
# that is said, and is no error. --tests: also what the tests of the pages need (a driver for the browser).
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"
omit=--omit=dev
[ "${2:-}" = --tests ] && omit=--include=dev

if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)'; then
	echo "web: the pages are not built: no npm, or a Node older than 18. The API serves without them."
	exit 0
fi

hash() { # of files named on standard input
	sort | xargs sha256sum | sha256sum | cut -c 1-64
}
lock=$(printf '%s\n' package.json package-lock.json .npmrc | hash)
have=$(cat node_modules/.merlon 2>/dev/null || :)
if [ "$have" != "$lock --include=dev" ] && [ "$have" != "$lock $omit" ]; then
	rm -f node_modules/.merlon
	echo "web: fetching what the pages are made of (npm ci)"
	if ! timeout 600 npm ci --ignore-scripts --no-audit --no-fund "$omit" >"$out.npm.log" 2>&1; then
		tail -n 5 "$out.npm.log"
		echo "web: the pages are not built: npm ci failed ($out.npm.log). The API serves without them."
		exit 0
	fi
	echo "$lock $omit" >node_modules/.merlon
fi

sources=$(find src public index.html vite.config.ts tsconfig.json package-lock.json -type f | hash)
[ "$(cat "$out.built" 2>/dev/null || :)" = "$sources" ] && [ -f "$out/index.html" ] && exit 0
echo "web: building the pages"
if ! timeout 600 node_modules/.bin/vite build --outDir "$out" --emptyOutDir --logLevel warn >"$out.build.log" 2>&1; then
	tail -n 20 "$out.build.log"
	exit 1
fi
echo "$sources" >"$out.built"
