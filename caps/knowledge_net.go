package caps

// knowledgeNet covers the network and the audit log.
var knowledgeNet = []Knowledge{
	{
		Cap: NetBindService, Severity: Low,
		Permits: "Bind TCP and UDP sockets to ports below net.ipv4.ip_unprivileged_port_start, " +
			"which the kernel sets to 1024.",
		Attack: "Takes the place of a system service on its port after that has stopped or " +
			"before it starts, to collect what clients " +
			"send.",
		Limits: "The network namespace: ports of the container's own address, reachable from " +
			"outside only as published. With --network " +
			"host they are the host's own, where it can stand in for a stopped DNS or web server.",
		NeededBy: "Servers on ports 53, 80, 443 that do not run as root, and root where the " +
			"capability is dropped. Not on a bridge or " +
			"another private network since Docker 20.10, which sets the first unprivileged port " +
			"to 0 there; on the host's network it " +
			"is needed.",
		Without: "bind to such a port fails with EACCES. A program file that carries it as a " +
			"file capability (some caddy builds) fails " +
			"to start with EPERM when it is not in the bounding set.",
		Sources: []string{
			"capabilities(7)", "net/ipv4/af_inet.c __inet_bind", "ip(7)",
		},
	},
	{
		Cap: NetBroadcast, Severity: Low,
		Permits: "Little on today's kernels: netlink sockets may listen to the events of other " +
			"network namespaces that their own knows " +
			"(NETLINK_LISTEN_ALL_NSID).",
		Attack: "Sees link and address events of connected network namespaces that have an id in " +
			"its own, a bit of reconnaissance.",
		Limits: "An ordinary container's network namespace knows of hardly any other. Ordinary " +
			"broadcasts and multicasts need no " +
			"capability.",
		NeededBy: "No ordinary program; some monitors of network namespaces on hosts.",
		Without:  "setsockopt NETLINK_LISTEN_ALL_NSID fails with EPERM. SO_BROADCAST is unaffected.",
		Sources: []string{
			"capabilities(7)", "net/netlink/af_netlink.c netlink_setsockopt",
		},
	},
	{
		Cap: NetAdmin, Severity: High,
		Permits: "Configure the network namespace: interfaces, addresses, routes, packet filter, " +
			"traffic control, tunnels, promiscuous " +
			"mode, and privileged socket options such as SO_MARK.",
		Attack: "Gives its interface a neighbour's MAC or IP address and receives that " +
			"neighbour's traffic on the bridge, and removes " +
			"filter rules that were put into the container to confine it. It opens large parts " +
			"of the kernel that have a long row of " +
			"memory bugs (netfilter, traffic control, tunnel drivers); such bugs have been used " +
			"from containers to take the kernel and " +
			"with it the host.",
		Limits: "All of it acts on the container's own network namespace only, and /proc/sys/net " +
			"is mounted read-only; kernel bugs do " +
			"not keep to that. With --network host it is the host's firewall, routes and " +
			"interfaces; with --network container:ID that " +
			"container's.",
		NeededBy: "VPNs (openvpn, wireguard, tailscale), routers, keepalived, service meshes " +
			"that redirect traffic, dnsmasq as a DHCP " +
			"server, iptables in an entrypoint. Not for ordinary servers and clients; fixed " +
			"settings can be had by --sysctl, " +
			"--mac-address and --dns.",
		Without: "ip, iptables and nft fail with EPERM (\"RTNETLINK answers: Operation not " +
			"permitted\"); setsockopt SO_MARK fails with " +
			"EPERM unless NET_RAW is held on kernels since 5.17; dnsmasq looks at its own sets " +
			"and stops.",
		Sources: []string{
			"capabilities(7)", "CVE-2021-22555", "CVE-2024-1086",
			"net/core/rtnetlink.c rtnetlink_rcv_msg",
		},
	},
	{
		Cap: NetRaw, Severity: High,
		Permits: "Open raw and packet sockets: send packets and Ethernet frames with any content " +
			"and any sender, and receive every frame " +
			"that reaches the interface.",
		Attack: "Answers ARP or IPv6 router solicitations on the bridge in the name of the " +
			"gateway or of another container, so that " +
			"their traffic runs through it; then it reads or changes DNS answers, passwords and " +
			"unencrypted requests. Packet sockets " +
			"have also been the way to take the kernel itself: memory errors in their ring " +
			"buffers gave root on the host from inside a " +
			"container.",
		Limits: "The network namespace: spoofing reaches whoever shares the same bridge or layer " +
			"2 network, by default every container " +
			"on the default bridge. A network of its own or drivers that check addresses end it. " +
			"Docker's seccomp and AppArmor " +
			"profiles let packet sockets through. A user namespace does not help, since the " +
			"check is made in the one that owns the " +
			"network namespace. With --network host it sees and forges the host's own traffic.",
		NeededBy: "Packet capture (tcpdump, intrusion detection), raw scanners (nmap -sS), " +
			"arping, DHCP servers and clients, VRRP " +
			"(keepalived), old ping. Not for ordinary ping since Docker 20.10, which opens " +
			"ping_group_range on private networks so " +
			"that an ICMP datagram socket serves; that does not hold on the host's network or " +
			"under user namespaces.",
		Without: "socket with SOCK_RAW or AF_PACKET fails with EPERM; a ping that has only raw " +
			"sockets says \"Operation not permitted\". " +
			"A ping file that carries it as a file capability fails to start with EPERM when it " +
			"is not in the bounding set.",
		Sources: []string{
			"capabilities(7)", "CVE-2016-8655", "CVE-2017-7308", "CVE-2020-13401", "CVE-2020-14386",
			"net/packet/af_packet.c packet_create", "moby profiles/seccomp default",
		},
	},
	{
		Cap: AuditWrite, Severity: Low,
		Permits: "Write user-space records into the kernel's audit log.",
		Attack: "Forges records in the host's log, for example logins that never were, and " +
			"floods it so that true ones are lost among " +
			"them or dropped at the rate limit. It can neither read nor stop the log.",
		Limits: "The kernel adds the sender's own pid, user and login id to each record. The " +
			"audit system talks only to the first user " +
			"namespace, so it does nothing in a container with its own; the network and PID " +
			"namespaces are no hindrance.",
		NeededBy: "Programs that log people in through PAM or libaudit: sshd, login, su, sudo, " +
			"cron on some distributions. Not for " +
			"services that log to stdout, files or syslog.",
		Without: "The netlink message is refused with EPERM; sshd built with audit support ends " +
			"the session (\"linux_audit_write_entry " +
			"failed\"), other programs log a warning.",
		Sources: []string{
			"capabilities(7)", "kernel/audit.c audit_netlink_ok",
		},
	},
	{
		Cap: AuditControl, Severity: Medium,
		Permits: "Switch kernel auditing on and off, change its rules, and change a login id " +
			"that is already set.",
		Attack: "Gives its processes another person's login id, so that what it does is booked " +
			"on that account in the host's audit log. " +
			"In the host's PID namespace it switches auditing off or takes the rules away.",
		Limits: "The kernel accepts rules and switches from the first PID and user namespace " +
			"only, so an ordinary container is left with " +
			"the login id; auditctl's immutable setting (-e 2) locks rules. With --pid=host " +
			"everything is in reach.",
		NeededBy: "auditd and auditctl, which belong on the host. sshd, login and cron where " +
			"pam_loginuid sets a login id that was " +
			"already set.",
		Without: "Audit requests fail with EPERM, and so does changing a set " +
			"/proc/self/loginuid; setting an unset one needs nothing.",
		Sources: []string{
			"capabilities(7)", "kernel/audit.c audit_netlink_ok",
			"kernel/audit.c audit_set_loginuid_perm",
		},
	},
	{
		Cap: AuditRead, Severity: Low,
		Permits: "Listen to the kernel's audit log by a multicast netlink group.",
		Attack: "On the host's network reads the host's audit log as it is written: who logs in, " +
			"which programs run with which " +
			"arguments, what the rules watch.",
		Limits: "The kernel sends the multicast in the first network namespace only, so that an " +
			"ordinary container hears nothing; with " +
			"--network host it hears all, and then it is worth medium. The check is made in the " +
			"first user namespace.",
		NeededBy: "Log collectors that read audit events beside auditd (journald, some agents), " +
			"on the host's network.",
		Without: "Binding to the AUDIT_NLGRP_READLOG group fails with EPERM.",
		Sources: []string{
			"capabilities(7)", "kernel/audit.c audit_multicast_bind",
			"kernel/audit.c kauditd_send_multicast_skb",
		},
	},
}
