# Take dropcap off this host. The lines before this one set purge and force to yes or no. With purge=program only the program goes: Distributor
# uninstalls one version before it installs another, and then units and policy stay.
set -eu
say() { echo "dropcap uninstall: $*"; }
fail() { echo "dropcap uninstall: error: cannot $*" >&2; exit 1; }
prefix=${DROPCAP_PREFIX:-}
store=${DROPCAP_STORE:-$prefix/var/lib/dropcap}
program=$prefix/usr/local/bin/dropcap
case $purge-$force in yes-yes | yes-no | no-yes | no-no | program-yes | program-no) ;; *) fail "uninstall: purge and force are yes or no" ;; esac
[ "$(id -u)" = 0 ] || [ -n "$prefix" ] || fail "uninstall: that takes root"
if [ -x "$program" ] && [ -e "$store/store.db" ] && [ "$force" != yes ]; then
	# What a change retains is known by the store alone, and without dropcap nobody puts it back.
	kept=$("$program" history --store "$store" --format '{{.ID}} {{.State}} {{.Pruned}}') || fail "uninstall: the history of changes cannot be read; --force does not look"
	open=$(printf '%s\n' "$kept" | grep -c -v -E '^$|^[0-9a-f]+ rolled-back |^[0-9a-f]+ (applied|backed-out) true$' || true)
	[ "$open" = 0 ] || fail "uninstall: $open changes are applied or retain a container; back them out or prune them first (dropcap history, dropcap backout --all, dropcap prune), or use --force"
fi
gone=
remove() {
	if [ -e "$1" ] || [ -L "$1" ]; then
		rm -rf "$1" || fail "remove $1"
		gone=yes
		say "removed $1"
	fi
}
remove "$program"
if [ "$purge" != program ]; then
	for unit in dropcap-harden dropcap-learn dropcap-recover; do
		file=$prefix/etc/systemd/system/$unit.service
		[ -e "$file" ] || continue
		[ -n "$prefix" ] || systemctl disable --now "$unit.service" >/dev/null 2>&1 || true
		remove "$file"
	done
	policy=$prefix/etc/dropcap/policy.yaml
	if [ -f "$policy" ] && [ -z "$(grep -v -E '^[[:space:]]*(#|$)|^level: cis$' "$policy" || true)" ]; then
		remove "$policy" # as it comes it says what holds without it
	fi
	if [ -d "$prefix/etc/dropcap" ]; then
		if rmdir "$prefix/etc/dropcap" 2>/dev/null; then say "removed $prefix/etc/dropcap"; else say "left $prefix/etc/dropcap: it has a policy of yours"; fi
	fi
fi
if [ "$purge" = yes ]; then
	remove "$store"
elif [ -e "$store" ]; then
	say "left $store: --purge removes it"
fi
[ -n "$gone" ] || say "there was nothing to remove"
