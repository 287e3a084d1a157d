# Tell whether this package's program is what is installed: Distributor asks before it says that a version is there already, and after installing.
# The line before this one sets version and sum.
set -eu
program=${DROPCAP_PREFIX:-}/usr/local/bin/dropcap
if [ ! -f "$program" ] || [ -L "$program" ] || [ "$(sha256sum <"$program" | cut -d ' ' -f 1)" != "$sum" ]; then
	echo "dropcap install: error: cannot find version $version as $program" >&2
	exit 1
fi
