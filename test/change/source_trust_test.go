package change_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/kernel"
	"dropcap/internal/testenv"
)

// evilFile mounts the host's root into the service's containers.
const evilFile = "services: {web: {volumes: [\"/:/host:rw\"]}}\n"

// intact checks that no container of the service has got the host's root.
func (p *shop) intact(t *testing.T, when string) {
	t.Helper()
	if binds := p.shell(t,
		`docker ps -aq --filter label=com.docker.compose.service=web | xargs docker inspect --format '{{.Name}} {{.Mounts}}'`); strings.Contains(binds, "/host") {
		t.Errorf("%s: a container has the host's root: %s", when, binds)
	}
}

// there returns a command prefix that runs another command where the engine sees its mounts.
func (s *stage) there(t *testing.T) string {
	t.Helper()
	k, err := kernel.New("/")
	if err != nil {
		t.Fatal(err)
	}
	_, pid, ok := k.EngineCaps(s.Socket)
	if !ok {
		t.Fatal("the engine's process is not known")
	}
	return fmt.Sprintf("nsenter --mount=/proc/%d/ns/mnt --", pid)
}

// A container that mounts a file reaches it whatever path leads there: a bind mount of a folder
// below the mounted one, another name of the file, an overlay of it, the disk that it is on, a
// mount below the mounted folder.
func TestComposeFileThatAContainerReachesIsRefused(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	p := newShop(t, s, "v2")
	pool := testenv.RootFolder(t)
	p.env = append(p.env, "POOL="+pool, "THERE="+s.there(t))
	p.shell(t, upShop)
	web, db := p.look(t, "web"), p.look(t, "db")
	const fill = "mkdir -p $POOL/deep/er && cp -a $SHOP/. $POOL/deep/er; "
	for _, c := range []struct{ name, before, after, says string }{
		{"its folder is a bind mount of one below the mounted",
			fill + "mount --bind $POOL/deep/er $SHOP; docker run -d --name peer -v $POOL:/x app:1",
			"umount $SHOP", "the container peer mounts"},
		{"the container does not run",
			fill + "mount --bind $POOL/deep/er $SHOP; docker create --name peer -v $POOL/deep:/x " +
				"app:1",
			"umount $SHOP", "the container peer mounts"},
		{"the mounted is a bind mount of a folder above it",
			"mkdir $POOL/alias; $THERE mount --bind /var/lib $POOL/alias; docker run -d --name " +
				"peer -v $POOL/alias/" + filepath.Base(p.dir) + ":/x app:1",
			"$THERE umount $POOL/alias", "the container peer mounts"},
		{"it is that, and does not run",
			"mkdir $POOL/alias; $THERE mount --bind /var/lib $POOL/alias; docker create --name " +
				"peer -v $POOL/alias/" + filepath.Base(p.dir) + ":/x app:1",
			"$THERE umount $POOL/alias", "the container peer mounts"},
		{"it was mounted below the mounted folder since",
			"mkdir -p $POOL/deep/sub; $THERE mount --bind $POOL/deep $POOL/deep; $THERE mount " +
				"--make-shared $POOL/deep; " +
				"docker run -d --name peer -v $POOL/deep:/x:rslave app:1; $THERE mount --bind " +
				"$SHOP " +
				"$POOL/deep/sub",
			"$THERE umount $POOL/deep/sub; $THERE umount $POOL/deep", "the container peer mounts"},
		{"its folder is an overlay of the mounted",
			fill + "mkdir $POOL/work $POOL/low; mount -t overlay -o " +
				"lowerdir=$POOL/low,upperdir=$POOL/deep/er,workdir=$POOL/work overlay $SHOP; " +
				"docker run -d --name peer -v $POOL/deep:/x app:1", "umount $SHOP",
			"the container peer mounts"},
		{"it has another name",
			"ln $SHOP/compose.yaml $POOL/other; docker run -d --name peer -v $POOL:/x app:1",
			"true", "has other names"},
		{"a container has the disk",
			`docker create --name peer --device $(df --output=source $SHOP | tail -1) app:1`,
			"true", "the container peer mounts"},
		{"a file that a service reads", "docker run -d --name peer -v $SHOP/web.env:/x app:1",
			"true", "the container peer mounts"},
		{"read-only, by one that may remount", `docker run -d --name peer --cap-add SYS_ADMIN ` +
			`-v $SHOP:/x:ro app:1`, "true", "the container peer mounts"},
		{"read-only, but not what is mounted below", "mkdir -p $POOL/deep/sub; " +
			"$THERE mount --bind $POOL/deep $POOL/deep; $THERE mount --make-shared $POOL/deep; " +
			"$THERE mount --bind $SHOP $POOL/deep/sub; " +
			"docker run -d --name peer -v $POOL/deep:/x:ro app:1",
			"$THERE umount $POOL/deep/sub; $THERE umount $POOL/deep", "the container peer mounts"},
		{"that, and it does not run", "mkdir -p $POOL/deep/sub; " +
			"$THERE mount --bind $POOL/deep $POOL/deep; $THERE mount --bind $SHOP $POOL/deep/sub; " +
			"docker create --name peer -v $POOL/deep:/x:ro app:1",
			"$THERE umount $POOL/deep/sub; $THERE umount $POOL/deep", "the container peer mounts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer p.shell(t, "docker rm -f peer; "+c.after+"; rm -rf $POOL/*")
			p.shell(t, c.before)
			r := p.apply(t)
			if r.status == dropcap.ExitOK || !strings.Contains(r.err, c.says) ||
				strings.Contains(r.out+r.err, canary) {
				t.Errorf("it is not refused: %v", r)
			}
		})
		p.untouched(t, c.name, web, db)
	}
}

// A container that sees the files read-only, as those that watch a host do, decides nothing.
func TestComposeFileThatAContainerOnlyReadsIsTrusted(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	p := newShop(t, s, "v2")
	p.shell(t, upShop)
	p.shell(t, `docker run -d --name watches -v $SHOP:/x:ro app:1
		docker create --name later -v $SHOP/compose.yaml:/x:ro app:1`)
	if r := p.apply(t); r.status != dropcap.ExitOK {
		t.Errorf("it is refused: %v", r)
	}
	p.shell(t, "docker rm -f watches later")
}

// If somebody replaces a file after it was checked, compose does not read the new one.
func TestComposeRunsTheBytesThatWereChecked(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	for _, c := range []struct{ name, at, file, text string }{
		{"the edited file, before compose makes them", "before:compose-up", "compose.yaml",
			evilFile},
		{"another file of the project", "after:write-source", "override.yaml", evilFile},
		{"compose's own environment file", "before:rehearse", ".env",
			"VERSION=eight\nCOMPOSE_FILE=evil.yaml\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newShop(t, s, "v2")
			p.shell(t, upShop)
			cmd, said := p.stoppedAt(t, c.at)
			p.write(t, c.file, c.text)
			goOn(cmd)
			cmd.Wait()
			if status := cmd.ProcessState.ExitCode(); status != dropcap.ExitOK {
				t.Errorf("status %d: %s", status, said)
			}
			p.intact(t, c.name)
			p.all(t, c.name, "web", 2, shopCIS)
			for _, label := range []string{"project.config_files", "project.environment_file"} {
				if now := p.shell(t,
					`docker inspect --format '{{index .Config.Labels "com.docker.compose.`+label+
						`"}}' shop-web-1`); strings.Contains(now, "private") {
					t.Errorf("a label names a copy: %s", now)
				}
			}
		})
	}
	t.Run("a file that compose reads by itself", func(t *testing.T) {
		p := newShop(t, s, "v2")
		p.shell(t, upShop)
		web, db := p.look(t, "web"), p.look(t, "db")
		cmd, said := p.stoppedAt(t, "before:compose-up")
		p.write(t, "web.env", "FROM_FILE=2\n")
		goOn(cmd)
		cmd.Wait()
		if status := cmd.ProcessState.ExitCode(); status != dropcap.ExitRolledBack ||
			!strings.Contains(said.String(), "web.env") {
			t.Errorf("status %d: %s", status, said)
		}
		p.write(t, "web.env", "FROM_FILE=1\n")
		p.untouched(t, "a changed env_file", web, db)
	})
}

// stoppedAt runs an apply until it has stopped itself before or after an effect.
func (p *shop) stoppedAt(t *testing.T, where string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := p.command("apply", "shop-web-1", "shop-web-2", "--yes", "--soak", "0s", "--no-watch")
	cmd.Env = append(slices.Clone(p.env), "DROPCAP_FAULT="+where+"=stop")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := func() bool {
		return slices.Contains([]string{"T", "Z"}, processState(cmd.Process.Pid))
	}
	dockertest.Eventually(t, time.Minute, where, stopped)
	if processState(cmd.Process.Pid) == "Z" {
		cmd.Wait()
		t.Fatalf("it does not come to %s: %s", where, said.String())
	}
	return cmd, &said
}

// Whatever compose has read or does, it can create nothing but the same containers with other
// capabilities: here with a replaced compose, with files of root's and with files of the user who
// called sudo.
func TestWhatComposeMakesIsComparedBeforeItRuns(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	s.shell(t, "docker network create zz")
	for _, version := range []string{"v2", "v5"} {
		for _, c := range []struct{ name, text, says string }{
			{"the host's root", evilFile, "HostConfig"},
			{"a privilege", "services: {web: {privileged: true}}\n", "HostConfig.Privileged"},
			{"another capability", "services: {web: {cap_add: [SYS_ADMIN]}}\n",
				"HostConfig.CapAdd"},
			{"another command", "services: {web: {command: [/serve, --x]}}\n", "Config.Cmd"},
			{"one more network",
				"services: {web: {networks: {zz: {}}}}\nnetworks: {zz: {name: zz, external: " +
					"true}}\n", "network"},
		} {
			if version == "v5" && c.says != "HostConfig" && !full {
				continue
			}
			t.Run(version+", "+c.name, func(t *testing.T) {
				p := newShop(t, s, version)
				p.shell(t, upShop)
				web, db := p.look(t, "web"), p.look(t, "db")
				p.write(t, "evil.yaml", c.text)
				p.shell(t, "chown -R 1000 $SHOP")
				p.env = append(p.env, "SUDO_UID=1000")
				p.replaceCompose(t, version,
					`case " $* " in *" --dry-run "*|*" config "*|*" version "*|*metadata*) exec "$real" "$@";; esac
for a; do shift; [ "$a" = up ] && set -- "$@" --file "$SHOP/evil.yaml"; set -- "$@" "$a"; done
exec "$real" "$@"`)
				r := p.apply(t)
				if r.status != dropcap.ExitRolledBack || !strings.Contains(r.err, c.says) {
					t.Errorf("it is not taken back: %v", r)
				}
				p.intact(t, c.name)
				p.untouched(t, c.name, web, db)
				if h := p.history(t); h[0].State != dropcap.RolledBack {
					t.Errorf("history says %+v", h[0])
				}
			})
		}
	}
	t.Run("somebody else's container", func(t *testing.T) {
		p := newShop(t, s, "v2")
		p.shell(t, upShop)
		web, db := p.look(t, "web"), p.look(t, "db")
		p.replaceCompose(t, "v2",
			`case " $* " in *" --dry-run "*|*" config "*|*" version "*|*metadata*) exec "$real" "$@";; esac
docker rm -f shop-db-1 && exit 1; docker pull x; exit 1`)
		if r := p.apply(t); r.status != dropcap.ExitRolledBack ||
			!strings.Contains(r.err, "not of the service") {
			t.Errorf("it is not kept from it: %v", r)
		}
		p.untouched(t, "somebody else's container", web, db)
	})
}

// replaceCompose replaces compose by a script, which knows the real one as $real.
func (p *shop) replaceCompose(t *testing.T, version, script string) {
	t.Helper()
	var tools string
	for _, v := range p.env {
		if rest, ok := strings.CutPrefix(v, "DOCKER_CONFIG="); ok {
			tools = rest
		}
	}
	plugin := filepath.Join(tools, "cli-plugins", "docker-compose")
	if err := os.Remove(plugin); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("#!/bin/sh\nreal=%s\n%s\n", filepath.Join(testenv.Cache(), "compose",
		version, "docker-compose"), script)
	if err := os.WriteFile(plugin, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
