# Debian's server in the foreground, with its own configuration and one file more.
. /etc/apache2/envvars
mkdir -p "$APACHE_RUN_DIR" "$APACHE_LOCK_DIR"
[ -e /etc/apache2/conf-enabled/answer.conf ] || echo 'Redirect /answer http://first/' >/etc/apache2/conf-enabled/answer.conf
echo 'ServerName localhost' >/etc/apache2/conf-enabled/name.conf
exec apache2 -D FOREGROUND -c 'ErrorLog /dev/stderr'
