# As Docker's own image runs it: the volume becomes the server's, then root is given up.
cd /data
find . \! -user redis -exec chown redis '{}' +
exec setpriv --reuid=redis --regid=redis --clear-groups -- redis-server --bind 127.0.0.1 --dir /data
