package change_test

import (
	"regexp"
	"slices"

	"dropcap/internal/dockertest"
)

// sample is a container named web that is changed and put back.
type sample struct {
	name string // what must survive
	make string // creates and starts it and all that it needs, with docker's own CLI
	body string // or instead: the body of POST /containers/create, started after make has run
	api  string // version of the API for body; "" is the highest

	same  []string // commands in it whose output must stay the same
	peer  []string // the same in the container peer, which make has started
	host  []string // the same in a container on the host's network
	keeps []string // folders where a written file must survive
	flags []string // further flags for dropcap apply

	// paths of inspect, as expressions, that may differ in the new container, with the reason
	// beside
	differs []string
	only    dockertest.Kind // "" is every engine
	short   bool            // part of make test
}

func (s sample) except() []*regexp.Regexp {
	out := slices.Concat(lives, another)
	for _, path := range s.differs {
		out = append(out, regexp.MustCompile("^"+path+"$"))
	}
	return out
}

var samples = slices.Concat(configSamples, mountSamples, networkSamples, hostSamples, rawSamples)

var configSamples = []sample{
	{name: "environment", short: true,
		make: `docker run -d --name web --env 'A=with  spaces "quotes" $x' --env "B=it's" --env EMPTY= --env "LINES=one
two" --env 'EQ=a=b=c' --env 'UMLAUT=grün' app:1`,
		same: []string{`tr '\0' '\n' </proc/1/environ`}},
	{name: "command with arguments",
		make: `docker run -d --name web app:1 sh -c 'echo "a  b" $0; exec /serve' '$(x) "y"'`,
		same: []string{`tr '\0' '|' </proc/1/cmdline`, `cat /proc/1/environ | wc -c`}},
	{name: "entrypoint of its own",
		make: `docker run -d --name web --entrypoint /bin/sh app:1 -c 'exec /serve --x'`,
		same: []string{`tr '\0' '|' </proc/1/cmdline`}},
	{name: "entrypoint emptied", short: true,
		make: `docker run -d --name web --entrypoint "" entry:1 /serve --empty`,
		same: []string{`tr '\0' '|' </proc/1/cmdline`},
		// null becomes [""], which means the same and survives the engine's merge
		differs: []string{`Config\.Entrypoint`}},
	{name: "entrypoint and command of the image", make: `docker run -d --name web entry:1`,
		same: []string{`tr '\0' '|' </proc/1/cmdline`, "env | sort"}},
	{name: "entrypoint of the image, command of its own",
		make: `docker run -d --name web entry:1 --mine`,
		same: []string{`tr '\0' '|' </proc/1/cmdline`}},
	{name: "labels",
		make: `docker run -d --name web --label a=b --label 'c=d "e" {}' --label empty= --label 'x.y/z=ü' entry:1`},
	{name: "health check", short: true,
		make: `docker run -d --name web --health-cmd 'wget -qO- http://127.0.0.1/ >/dev/null' --health-interval 1s --health-timeout 5s --health-retries 5 --health-start-period 10s app:1`},
	{name: "health check of the image", make: `docker run -d --name web health:1`},
	{name: "health check switched off", make: `docker run -d --name web --no-healthcheck health:1`},
	{name: "user by number", make: `docker run -d --name web --user 1000:2000 app:1`,
		same: []string{"id"}},
	{name: "user by name and more groups",
		make: `docker run -d --name web --user web --group-add 5 --group-add extra app:1`,
		same: []string{"id"}},
	{name: "working folder", make: `docker run -d --name web --workdir /srv app:1`,
		same: []string{"pwd"}},
	{name: "working folder that the engine makes",
		make: `docker run -d --name web --workdir /made/here app:1`, same: []string{"pwd"}},
	{name: "exposed ports", make: `docker run -d --name web --expose 81 --expose 90-92/udp app:1`},
	{name: "stop signal and grace",
		make: `docker run -d --name web --stop-signal SIGINT --stop-timeout 3 app:1`},
	{name: "host and domain name",
		make: `docker run -d --name web --hostname shop --domainname example.test app:1`,
		same: []string{"hostname", "cat /proc/sys/kernel/domainname",
			"grep shop /etc/hosts | cut -f2"}},
	{name: "host name that is the short id", short: true,
		make: `docker run -d --name web -v data:/data app:1`, same: []string{"hostname"},
		keeps: []string{"/data"}},
	{name: "terminal and open input", make: `docker run -dit --name web app:1 sh`,
		same: []string{`tr '\0' '|' </proc/1/cmdline`}},
	{name: "image by id",
		make: `docker run -d --name web "$(docker image inspect --format '{{.Id}}' app:1)"`},
	{name: "image by another tag that has moved",
		make:    `docker tag app:1 moved:1; docker run -d --name web moved:1; docker tag entry:1 moved:1`,
		differs: []string{`Config\.Image`}}, // created by id, since the tag is another image now
	{name: "image without a tag any more",
		make:    `docker tag app:1 gone:1; docker run -d --name web gone:1; docker rmi gone:1`,
		differs: []string{`Config\.Image`}},
	{name: "platform", make: `docker run -d --name web --platform linux/amd64 app:1`},
	{name: "init", make: `docker run -d --name web --init app:1`,
		same: []string{`tr '\0' '|' </proc/1/cmdline`}},
	{name: "annotations", only: dockertest.Docker29,
		make: `docker run -d --name web --annotation a=b app:1`},
	{name: "a name of every kind of character",
		make: `docker run -d --name web app:1; docker rename web We.b-1_x; docker rename We.b-1_x web`,
		// engine 29 adds the name at a rename, also where no name server asks,
		differs: []string{`NetworkSettings\.Networks\.bridge\.DNSNames`}},
	{name: "owner labels that the image carries", make: `docker run -d --name web owned:1`},
	{name: "files in /tmp and /run only",
		make: `docker run -d --name web app:1; docker exec web sh -c 'echo x >/tmp/x; mkdir /run; echo y >/run/y'`},
	{name: "a changed layer", short: true,
		make: `docker run -d --name web app:1; docker exec web sh -c 'echo x >/etc/x; rm /etc/group; chmod 711 /root'`,
		same: []string{"cat /etc/x; ls /etc; stat -c %a /root"}},
	{name: "a changed layer, given up", flags: []string{"--discard-layer"},
		make: `docker run -d --name web app:1; docker exec web sh -c 'echo x >/etc/x; rm /etc/group'`},
}

var mountSamples = []sample{
	{name: "named volume", make: `docker run -d --name web -v data:/data app:1`,
		keeps: []string{"/data"}, same: []string{"grep ' /data ' /proc/mounts"}},
	{name: "anonymous volume", short: true, make: `docker run -d --name web -v /data app:1`,
		keeps: []string{"/data"}, differs: explicitVolume},
	{name: "anonymous volume of the image", short: true, make: `docker run -d --name web volume:1`,
		keeps: []string{"/kept", "/kept too"}, differs: explicitVolume},
	{name: "anonymous volume by --mount",
		make:  `docker run -d --name web --mount type=volume,dst=/data app:1`,
		keeps: []string{"/data"}, differs: explicitVolume},
	{name: "volume of the image, named", make: `docker run -d --name web -v data:/kept volume:1`,
		keeps: []string{"/kept", "/kept too"}, differs: explicitVolume},
	{name: "volume of the image under a bind",
		make:  `docker run -d --name web -v $DIR:/kept volume:1`,
		keeps: []string{"/kept", "/kept too"}, differs: explicitVolume},
	{name: "bind", make: `docker run -d --name web -v $DIR:/data app:1`, keeps: []string{"/data"}},
	{name: "bind, read-only",
		make: `echo x >$DIR/x; docker run -d --name web -v $DIR:/data:ro app:1`,
		same: []string{"cat /data/x; touch /data/y 2>&1; true"}},
	{name: "bind of a file",
		make: `echo x >$DIR/x; docker run -d --name web -v $DIR/x:/etc/motd app:1`,
		same: []string{"cat /etc/motd"}},
	{name: "bind with propagation",
		make: `docker run -d --name web --mount type=bind,src=/etc,dst=/e,readonly,bind-propagation=rslave app:1`, same: []string{"grep ' /e ' /proc/self/mountinfo | cut -d' ' -f4-7"}},
	{name: "volume without copying",
		make: `docker run -d --name web -v data:/etc:nocopy -v more:/srv:ro app:1`,
		same: []string{"ls /etc; touch /srv/x 2>&1; true"}, differs: []string{`HostConfig\.Binds`,
			`Mounts\./srv\.Mode`}},
	{name: "volume by --mount with driver options",
		make: `docker run -d --name web --mount type=volume,src=data,dst=/data,volume-label=a=b,volume-opt=type=tmpfs,volume-opt=device=tmpfs,volume-opt=o=size=1m app:1`, same: []string{"grep ' /data ' /proc/mounts"}, differs: uncopied},
	{name: "volume's subfolder", only: dockertest.Docker29,
		make: `docker run --rm -v data:/d app:1 mkdir /d/sub; docker run -d --name web --mount type=volume,src=data,dst=/data,volume-subpath=sub app:1`, keeps: []string{"/data"}, differs: uncopied},
	// a folder of the engine's, for each container,
	{name: "image as a mount", only: dockertest.Docker29,
		make: `docker run -d --name web --mount type=image,src=entry:1,dst=/i app:1`,
		same: []string{"ls /i"}, differs: []string{`Mounts\./i\.Source`}},
	{name: "tmpfs", make: `docker run -d --name web --tmpfs /t:size=1m,mode=700,exec app:1`,
		same: []string{"grep ' /t ' /proc/mounts"}},
	{name: "tmpfs by --mount",
		make: `docker run -d --name web --mount type=tmpfs,dst=/t,tmpfs-size=1048576,tmpfs-mode=1770 app:1`, same: []string{"grep ' /t ' /proc/mounts"}},
	{name: "volumes of another container",
		make:  `docker create --name store -v named:/named -v /anonymous app:1; docker run -d --name web --volumes-from store:rw app:1`,
		keeps: []string{"/named", "/anonymous"}, differs: explicitVolume},
	{name: "volumes of a container that is gone",
		make:  `docker create --name store -v /anonymous app:1; docker run -d --name web --volumes-from store app:1; docker rm store`,
		keeps: []string{"/anonymous"}, differs: slices.Concat(explicitVolume,
			[]string{`HostConfig\.VolumesFrom`})},
	{name: "read-only root",
		make: `docker run -d --name web --read-only --tmpfs /run -v /data app:1`,
		same: []string{"touch /x 2>&1; touch /run/x && echo x"}, keeps: []string{"/data"},
		differs: explicitVolume},
	{name: "size of /dev/shm", make: `docker run -d --name web --shm-size 8m app:1`,
		same: []string{"grep ' /dev/shm ' /proc/mounts"}},
	{name: "mounts within mounts",
		make: `mkdir $DIR/in; docker run -d --name web -v data:/a -v $DIR:/a/b -v /a/b/in --tmpfs /a/t app:1`, keeps: []string{"/a", "/a/b", "/a/b/in"}, differs: explicitVolume},
	{name: "volumes of many kinds at once",
		make:  `docker run -d --name web -v data:/one -v /two --mount type=volume,dst=/three -v $DIR:/four volume:1`,
		keeps: []string{"/one", "/two", "/three", "/four", "/kept"}, differs: explicitVolume},
}

// explicitVolume: a volume that the configuration does not name becomes an explicit mount by its
// name. Mounts must not change, except that the engine reports the mode of an explicit volume as
// "z" (shared for SELinux), which it also uses for an anonymous one without reporting it.
var explicitVolume = []string{`HostConfig\.(Mounts|Binds)`, `Config\.Volumes(\..*)?`,
	`Mounts\..*\.Mode`}

// uncopied: what was emptied on purpose must not be filled from the image again.
var uncopied = []string{`HostConfig\.Mounts`}
