package change_test

import "dropcap/internal/dockertest"

const serves = "docker run -d --name peer"

var networkSamples = []sample{
	{name: "published port", short: true, make: `docker run -d --name web -p 8081:80 app:1`,
		host: []string{"/serve get 127.0.0.1:8081"}},
	{name: "published on one address, and UDP",
		make: `docker run -d --name web -p 127.0.0.1:8082:80 -p 8083:53/udp app:1`,
		host: []string{"/serve get 127.0.0.1:8082"}},
	{name: "published range", make: `docker run -d --name web -p 8084-8085:80-81 app:1`,
		host: []string{"/serve get 127.0.0.1:8084"}},
	{name: "published where the engine likes", make: `docker run -d --name web -p 80 app:1`},
	{name: "all exposed ports published",
		make: `docker run -d --name web -P --expose 80 --expose 81 app:1`},
	{name: "aliases on a network", short: true, make: `docker network create net; ` + serves +
		` --network net app:1; docker run -d --name web --network net --network-alias shop --network-alias store app:1`,
		peer: []string{"/serve get shop:80", "/serve get store:80", "/serve get web:80"},
		same: []string{"/serve get peer:80"}},
	{name: "name of the host on a network", make: `docker network create net; ` + serves +
		` --network net app:1; docker run -d --name web --hostname shop --network net app:1`,
		peer: []string{"/serve get web:80"}},
	{name: "static address", short: true,
		make: `docker network create --subnet 10.77.0.0/24 net; ` + serves +
			` --network net app:1; docker run -d --name web --network net --ip 10.77.0.77 app:1`,
		peer: []string{"/serve get 10.77.0.77:80"},
		same: []string{"ip -4 addr show eth0 | grep inet"}},
	{name: "static address, IPv6",
		make: `docker network create --ipv6 --subnet fd77::/64 --subnet 10.77.0.0/24 net; docker run -d --name web --network net --ip6 fd77::77 --ip 10.77.0.77 app:1`,
		same: []string{"ip -6 addr show eth0 | grep fd77; ip -4 addr show eth0 | grep inet"}},
	{name: "link-local address",
		make: `docker network create net; docker run -d --name web --network net --link-local-ip 169.254.7.7 app:1`, same: []string{"ip addr show eth0 | grep 169.254"}},
	{name: "hardware address", only: dockertest.Docker29,
		make: `docker run -d --name web --mac-address 02:42:ac:11:00:99 app:1`,
		same: []string{"ip link show eth0 | grep ether"}},
	{name: "hardware address on a network", only: dockertest.Docker29,
		make: `docker network create net; docker run -d --name web --network net --mac-address 02:42:ac:11:00:99 app:1`, same: []string{"ip link show eth0 | grep ether"}},
	{name: "hardware address, API 1.41", only: dockertest.Docker20,
		body: `{"Image":"app:1","MacAddress":"02:42:ac:11:00:99"}`,
		same: []string{"ip link show eth0 | grep ether"}},
	{name: "several networks, connected later",
		make: `docker network create --subnet 10.77.0.0/24 net; docker network create other; ` +
			serves + ` --network net app:1
		docker run -d --name web --network other --network-alias here app:1; docker network connect --alias there --ip 10.77.0.7 net web`,
		peer: []string{"/serve get there:80"},
		same: []string{"ip -4 addr show | grep -o 'inet 10.77[^ ]*'"}},
	{name: "several networks from the start", only: dockertest.Docker29,
		make: `docker network create net; docker network create other; ` + serves +
			` --network net app:1
		docker run -d --name web --network name=other,gw-priority=7 --network name=net,alias=there,driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1 app:1`,
		// which of them is eth0 differs from one start by the engine to the next
		peer: []string{"/serve get there:80"},
		same: []string{"ip route | grep default | cut -d' ' -f1-2",
			"cat /proc/sys/net/ipv4/conf/eth*/log_martians | sort"}},
	{name: "the default bridge and another network", make: `docker network create net; ` + serves +
		` --network net app:1; docker run -d --name web -p 8086:80 app:1; docker network connect --alias there net web`,
		peer: []string{"/serve get there:80"}, host: []string{"/serve get 127.0.0.1:8086"}},
	{name: "the default bridge, left for another network", make: `docker network create net; ` +
		serves +
		` --network net app:1; docker run -d --name web app:1; docker network connect net web; docker network disconnect bridge web`,
		peer: []string{"/serve get web:80"}, same: []string{"ls /sys/class/net | grep -c eth"}},
	{name: "link on the default bridge", make: serves +
		` app:1; docker run -d --name web --link peer:database --link peer app:1`,
		same: []string{"/serve get database:80", "/serve get peer:80"}},
	{name: "link on a network", make: `docker network create net; ` + serves +
		` --network net app:1; docker run -d --name web --network net --link peer:database app:1`,
		same: []string{"/serve get database:80"}},
	{name: "network none", make: `docker run -d --name web --network none app:1`,
		same: []string{"ls /sys/class/net"}},
	{name: "network of the host",
		make: `docker run -d --name web --network host --env PORT=8087 app:1`,
		host: []string{"/serve get 127.0.0.1:8087"}, same: []string{"hostname"}},
	{name: "network of another container", make: serves +
		` app:1; docker run -d --name web --network container:peer --env PORT=81 app:1`,
		peer: []string{"/serve get 127.0.0.1:81"}, same: []string{"hostname"},
		differs: []string{`Config\.Hostname`}},
	{name: "name servers and hosts",
		make: `docker run -d --name web --dns 192.0.2.1 --dns-search example.test --dns-option ndots:2 --add-host db:192.0.2.2 --add-host gate:host-gateway app:1`,
		same: []string{"grep -v '^#' /etc/resolv.conf", "grep -e db -e gate /etc/hosts"}},
	{name: "internal network with a name of its own kind",
		make: `docker network create --internal Net.work_1; ` + serves +
			` --network Net.work_1 app:1; docker run -d --name web --network Net.work_1 --network-alias web app:1`,
		peer: []string{"/serve get web:80"}},
	{name: "network by its id", make: `docker network create net; ` + serves +
		` --network net app:1; docker run -d --name web --network "$(docker network inspect --format '{{.Id}}' net)" --network-alias shop app:1`,
		peer: []string{"/serve get shop:80"}},
}
