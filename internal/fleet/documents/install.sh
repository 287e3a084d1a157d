# Put one version of dropcap on this host, verified before it can run. The lines before this one set version, and url, sum and size for each
# architecture; package is the program itself where it came with this script, and empty where it is to be fetched.
set -eu
umask 077
say() { echo "dropcap install: $*"; }
fail() { echo "dropcap install: error: cannot $*" >&2; exit 1; }
prefix=${DROPCAP_PREFIX:-}
bin=$prefix/usr/local/bin
case $(uname -m) in
x86_64 | amd64) url=$url_amd64 sum=$sum_amd64 size=$size_amd64 ;;
aarch64 | arm64) url=$url_arm64 sum=$sum_arm64 size=$size_arm64 ;;
*) fail "install on $(uname -m): there is a dropcap for x86_64 and aarch64 only" ;;
esac
[ -n "$url" ] || fail "install on $(uname -m): no address was given for it"
[ "$(id -u)" = 0 ] || [ -n "$prefix" ] || fail "install: that takes root"
digest() { sha256sum <"$1" | cut -d ' ' -f 1; }
if [ -f "$bin/dropcap" ] && [ ! -L "$bin/dropcap" ] && [ "$(digest "$bin/dropcap")" = "$sum" ]; then
	say "version $version is there already"
	exit 0
fi
mkdir -p "$prefix/var/lib" "$bin" || fail "make $bin"
# Beside what only root may write; a folder of its own, which nobody else may enter, so that nobody can put another file in its place.
work=$(mktemp -d "$prefix/var/lib/dropcap-install.XXXXXX") || fail "make a folder in $prefix/var/lib: is the disk full?"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
new=$work/dropcap
: >"$new" || fail "write $new: is the disk full?"
got=no
if [ -n "$package" ]; then
	cp "$package" "$new" || fail "copy $package to $prefix/var/lib: is the disk full?"
	got=yes
elif command -v curl >/dev/null 2>&1; then
	printf 'url = "%s"\noutput = "%s"\n' "$url" "$new" | curl --config - --fail --silent --show-error --location --proto '=https,http' --max-filesize "$size" --connect-timeout 20 --max-time 600 --retry 2 && got=yes
elif command -v wget >/dev/null 2>&1; then
	printf '%s\n' "$url" | wget -q -i - -O - | head -c $((size + 1)) >"$new" && got=yes
elif command -v python3 >/dev/null 2>&1; then
	printf '%s\n%s\n%s\n' "$url" "$new" "$size" | python3 -c '
import sys, urllib.request
url, to, size = sys.stdin.read().split("\n")[:3]
with urllib.request.urlopen(url, timeout=60) as r, open(to, "wb") as f:
    left = int(size) + 1
    while left > 0:
        b = r.read(min(left, 1 << 20))
        if not b: break
        f.write(b); left -= len(b)
' && got=yes
else
	fail "download: there is neither curl nor wget nor python3"
fi
[ $got = yes ] || fail "download dropcap: see above; is the address still valid, and is there room in $prefix/var/lib?"
now=$(wc -c <"$new" | tr -d ' ')
[ "$now" = "$size" ] || fail "use what was downloaded: it has $now bytes and not $size"
[ "$(digest "$new")" = "$sum" ] || fail "use what was downloaded: its SHA-256 is not $sum"
chmod 0755 "$new"
said=$("$new" version) || fail "use what was downloaded: it does not run on this host (is $prefix/var/lib mounted noexec?)"
case "$said " in
"dropcap $version "*) ;;
*) fail "use what was downloaded: it says '$said' and not version $version" ;;
esac
# Renamed within one folder, so that a dropcap is there at each moment, the old one or the new.
cp "$new" "$bin/.dropcap-new" || { rm -f "$bin/.dropcap-new"; fail "write to $bin: is the disk full?"; }
[ "$(digest "$bin/.dropcap-new")" = "$sum" ] || { rm -f "$bin/.dropcap-new"; fail "write to $bin: is the disk full?"; }
chmod 0755 "$bin/.dropcap-new"
mv -f "$bin/.dropcap-new" "$bin/dropcap"
say "version $version is installed as $bin/dropcap"
