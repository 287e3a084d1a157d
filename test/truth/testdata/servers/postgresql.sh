# As Docker's own image runs it: the folders become the server's, then root is given up, and an empty volume is filled.
export PGDATA=/var/lib/postgresql/data PATH=/usr/lib/postgresql/15/bin:$PATH
mkdir -p "$PGDATA"
chmod 00700 "$PGDATA" || :
mkdir -p /var/run/postgresql
chmod 03775 /var/run/postgresql || :
find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
exec setpriv --reuid=postgres --regid=postgres --init-groups -- sh -ec '
	[ -s "$PGDATA/PG_VERSION" ] || initdb --auth=trust --locale=C --no-sync >/dev/null
	exec postgres -c listen_addresses=127.0.0.1 -c fsync=off'
