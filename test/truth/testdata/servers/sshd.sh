# Debian's daemon in the foreground, with PAM, logins by key, and sftp in a root of its own for www-data.
mkdir -p /run/sshd /etc/ssh/keys /srv/sftp
for user in root postgres www-data; do printf '%s\n' "$KEY" >"/etc/ssh/keys/$user"; done
cat >/etc/ssh/truth_config <<EOF
UsePAM yes
AuthorizedKeysFile /etc/ssh/keys/%u
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
Match User www-data
	ChrootDirectory /srv
	ForceCommand internal-sftp
EOF
exec /usr/sbin/sshd -D -e -f /etc/ssh/truth_config
