package verdict

import (
	"dropcap"
	"dropcap/caps"
)

// netRules are about sockets, netlink and network settings.
var netRules = []Rule{
	{
		Name: "bind", Caps: caps.Of(caps.NetBindService), At: []string{
			"inet_bind", "__inet_bind", "inet_bind_sk", "inet6_bind", "__inet6_bind",
			"inet6_bind_sk", "sctp_do_bind", "sctp_get_port_local", "sctp_sendmsg_new_asoc",
			"sctp_connect_new_asoc", "sctp_connect_add_peer", "__sctp_connect",
		},
		Class:   dropcap.Decisive,
		Because: "listening on a port below net.ipv4.ip_unprivileged_port_start fails with EACCES",
		Source: "net/ipv4/af_inet.c __inet_bind, net/ipv6/af_inet6.c __inet6_bind: asked only " +
			"below that port of the network namespace",
	},
	{
		Name: "raw-socket", Caps: caps.Of(caps.NetRaw), At: []string{"inet_create", "inet6_create",
			"packet_create", "bt_sock_create", "ieee802154_create"},
		Class: dropcap.Decisive, Because: "opening a raw or packet socket fails with EPERM",
		Source: "net/ipv4/af_inet.c inet_create, net/ipv6/af_inet6.c inet6_create, " +
			"net/packet/af_packet.c packet_create",
	},
	{
		Name: "socket-device", Caps: caps.Of(caps.NetRaw), At: []string{"sock_bindtoindex_locked",
			"sock_bindtoindex", "sock_setbindtodevice", "sock_setsockopt"},
		Class: dropcap.Decisive, Because: "binding a socket to another device fails with EPERM",
		Source: "net/core/sock.c sock_bindtoindex_locked (5.7: only if it is bound already), " +
			"inlined in sock_setsockopt before 6.1",
	},
	{
		Name: "socket-mark", Caps: caps.Of(caps.NetRaw), At: []string{"sk_setsockopt"},
		When: "by user 0", when: byRoot,
		Class: dropcap.Alternative, Or: caps.Of(caps.NetAdmin),
		Because: "setting the mark or a high priority of a socket fails with EPERM; NET_ADMIN " +
			"would do",
		Source: "net/core/sock.c sk_setsockopt (6.1), SO_MARK and SO_PRIORITY: NET_RAW or " +
			"NET_ADMIN since 5.17, NET_ADMIN before",
	},
	{
		Name: "socket-option-raw", Caps: caps.Of(caps.NetRaw), At: []string{
			"sk_setsockopt", "do_ip_setsockopt", "ip_setsockopt", "do_ipv6_setsockopt",
			"ipv6_setsockopt", "ipv6_set_opt_hdr",
			"ip_options_compile", "__ip_options_compile", "sock_cmsg_send", "__sock_cmsg_send",
		},
		Class:   dropcap.Decisive,
		Because: "setting an option of a socket (transparent, mark, IP options) fails with EPERM",
		Source: "net/ipv4/ip_sockglue.c do_ip_setsockopt, net/ipv6/ipv6_sockglue.c, " +
			"net/core/sock.c __sock_cmsg_send",
	},
	{
		Name: "tcp-option", Caps: caps.Of(caps.NetAdmin), At: []string{"do_tcp_setsockopt",
			"tcp_set_congestion_control"},
		Class: dropcap.UnknownNeed,
		Because: "setting a TCP option may fail with EPERM: repair always, another congestion " +
			"control only if it is restricted",
		Source: "net/ipv4/tcp.c do_tcp_setsockopt: TCP_CONGESTION asks before it knows whether " +
			"it matters",
	},
	{
		Name: "socket-option", Caps: caps.Of(caps.NetAdmin), At: []string{
			"sk_setsockopt", "sock_setsockopt", "do_ip_setsockopt", "ip_setsockopt",
			"do_ipv6_setsockopt", "ipv6_setsockopt", "__sock_cmsg_send", "sock_cmsg_send",
			"ip_mroute_setsockopt", "ip6_mroute_setsockopt", "xfrm_user_policy",
			"packet_setsockopt",
		},
		Class: dropcap.Decisive,
		Because: "setting an option of a socket (buffers beyond the limit, mark, routing) fails " +
			"with EPERM",
		Source: "net/core/sock.c sk_setsockopt: SO_RCVBUFFORCE, SO_DEBUG, SO_MARK; " +
			"net/ipv4/ip_sockglue.c do_ip_setsockopt",
	},
	{
		Name: "firewall", Caps: caps.Of(caps.NetAdmin), At: []string{
			"do_ipt_get_ctl", "do_ipt_set_ctl", "do_ip6t_get_ctl", "do_ip6t_set_ctl",
			"do_arpt_get_ctl", "do_arpt_set_ctl", "do_ebt_get_ctl", "do_ebt_set_ctl",
			"nfnetlink_rcv", "do_ip_vs_set_ctl", "do_ip_vs_get_ctl",
		},
		Class: dropcap.Decisive, Because: "reading or changing the packet filter fails with EPERM",
		Source: "net/ipv4/netfilter/ip_tables.c do_ipt_get_ctl, net/netfilter/nfnetlink.c " +
			"nfnetlink_rcv",
	},
	{
		Name: "netlink", Caps: caps.Of(caps.NetAdmin), At: []string{
			"rtnetlink_rcv_msg", "rtnl_link_get_net_capable", "rtnl_get_net_ns_capable",
			"rtnl_newlink", "__rtnl_newlink", "rtnl_setlink", "do_setlink", "rtnl_dellink",
			"genl_rcv_msg", "genl_family_rcv_msg", "genl_family_rcv_msg_doit", "genl_rcv",
			"xfrm_user_rcv_msg", "netlink_allowed",
			"netlink_bind", "netlink_setsockopt", "netlink_connect", "netlink_sendmsg",
			"tc_modify_qdisc", "tc_ctl_tfilter",
		},
		Class:   dropcap.Decisive,
		Because: "changing devices, addresses, routes or queues over netlink fails with EPERM",
		Source: "net/core/rtnetlink.c rtnetlink_rcv_msg, net/netlink/genetlink.c genl_rcv_msg, " +
			"net/netlink/af_netlink.c netlink_allowed",
	},
	{
		Name: "device", Caps: caps.Of(caps.NetAdmin), At: []string{
			"dev_ioctl", "devinet_ioctl", "ip_rt_ioctl", "arp_ioctl", "inet6_ioctl",
			"addrconf_add_ifaddr", "addrconf_del_ifaddr",
			"addrconf_set_dstaddr", "ipv6_route_ioctl", "dev_ethtool", "__dev_ethtool",
			"tun_set_iff", "__tun_chr_ioctl", "tun_chr_ioctl",
		},
		Class:   dropcap.Decisive,
		Because: "changing a network device, an address or a route fails with EPERM",
		Source: "net/core/dev_ioctl.c dev_ioctl, net/ipv4/devinet.c devinet_ioctl, " +
			"drivers/net/tun.c tun_set_iff",
	},
	{
		Name: "net-sysctl-search", Caps: caps.Of(caps.NetAdmin),
		At: []string{"net_ctl_permissions"}, Under: []string{"link_path_walk"},
		Class:   dropcap.Advisory,
		Because: "it searches folders of /proc/sys/net, which everyone may",
		Source: "net/sysctl_net.c net_ctl_permissions; every folder there has mode 0555 " +
			"(fs/proc/proc_sysctl.c new_dir)",
	},
	{
		Name: "net-sysctl", Caps: caps.Of(caps.NetAdmin), At: []string{"net_ctl_permissions"},
		Class: dropcap.UnknownNeed,
		Because: "writing a setting below /proc/sys/net fails with EACCES, unless the program " +
			"runs as root; reading does not",
		Source: "net/sysctl_net.c net_ctl_permissions: asked for reads and writes alike",
	},
	{
		Name: "socket-diagnosis", Caps: caps.Of(caps.NetAdmin), At: []string{
			"inet_diag_dump", "__inet_diag_dump", "inet_diag_dump_compat", "inet_diag_cmd_exact",
			"inet_diag_rcv_msg_compat", "inet_diag_handler_cmd",
			"inet_diag_dump_one_icsk", "packet_diag_dump", "tcp_diag_dump", "udp_diag_dump",
		},
		Class: dropcap.Silent, Because: "lists of sockets leave out marks, groups and filters",
		Source: "net/ipv4/inet_diag.c inet_diag_dump_start, net/packet/diag.c",
	},
	{
		Name: "audit", Caps: caps.Of(caps.AuditWrite, caps.AuditControl),
		At:    []string{"audit_netlink_ok", "audit_receive_msg", "audit_receive"},
		Class: dropcap.Decisive,
		Because: "sending to the kernel's audit log, as login programs do, or controlling it, " +
			"fails with EPERM",
		Try:   "a login program that another user started goes on without its record",
		TryIf: "by another user than 0", tryIf: func(c dropcap.KernelCheck) bool {
			return c.UID != 0 && c.Cap == caps.AuditWrite
		},
		Source: "kernel/audit.c audit_netlink_ok, inlined in audit_receive_msg",
	},
	{
		Name: "login-id", Caps: caps.Of(caps.AuditControl), At: []string{"audit_set_loginuid_perm",
			"audit_set_loginuid", "proc_loginuid_write"},
		Class:   dropcap.Decisive,
		Because: "changing a login id that is set already fails with EPERM",
		Source:  "kernel/auditsc.c audit_set_loginuid_perm: asked last",
	},
	{
		Name: "audit-read", Caps: caps.Of(caps.AuditRead), At: []string{"audit_multicast_bind",
			"audit_bind"},
		Class: dropcap.Decisive, Because: "listening to the kernel's audit log fails with EPERM",
		Source: "kernel/audit.c audit_multicast_bind",
	},
}
