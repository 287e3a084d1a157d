package truth_test

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/dockertest"
)

var (
	//go:embed testdata/servers/nginx.sh
	nginxScript string
	//go:embed testdata/servers/redis.sh
	redisScript string
	//go:embed testdata/servers/postgresql.sh
	postgresScript string
	//go:embed testdata/servers/sshd.sh
	sshdScript string
	//go:embed testdata/servers/apache2.sh
	apacheScript string
)

// twice is the life of a server: a first start, its service, a reload, its service again, a stop,
// and everything but the reload once more.
func twice(serve func(c *container, again bool) error, reload func(c *container) error) func(
	*container) error {
	return func(c *container) error {
		for _, again := range []bool{false, true} {
			if err := c.start(); err != nil {
				return fmt.Errorf("start: %w", err)
			}
			if err := serve(c, again); err != nil {
				return fmt.Errorf("service, started before: %v: %w", again, err)
			}
			if !again && reload != nil {
				if err := reload(c); err != nil {
					return fmt.Errorf("reload: %w", err)
				}
			}
			if err := c.stop(); err != nil {
				return fmt.Errorf("stop: %w", err)
			}
		}
		return nil
	}
}

// ask sends a text to a port and returns what comes until enough was read or the server closes.
func ask(c *container, port int, text string, enough int) (string, error) {
	conn, err := c.dial(port)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	answer := make([]byte, enough)
	n, err := io.ReadFull(bufio.NewReader(conn), answer)
	if n > 0 && (errors.Is(err, io.ErrUnexpectedEOF) || err == nil) {
		return string(answer[:n]), nil
	}
	return "", err
}

// get checks that a page of a web server contains a text.
func get(c *container, path, want string) func() error {
	return func() error {
		answer, err := ask(c, 80, "GET "+path+" HTTP/1.0\r\nHost: localhost\r\n\r\n", 1<<16)
		if err == nil && !strings.Contains(answer, want) {
			err = fmt.Errorf("GET %s gives %.60q, want %q", path, answer, want)
		}
		return err
	}
}

// web is the life of a web server whose answer is in a file that it reads at a reload.
func web(dir, file, second string) func(*container) error {
	serve := func(c *container, again bool) error {
		want := map[bool]string{false: "first", true: "second"}[again]
		if err := c.eventually("an answer", get(c, "/answer", want)); err != nil {
			return err
		}
		return errors.Join(get(c, "/index.html", "200 OK")(), c.gaveUpRoot())
	}
	reload := func(c *container) error {
		old, err := c.processes()
		if err != nil {
			return err
		}
		if err := c.put(dir, file, second); err != nil {
			return err
		}
		if err := c.signal("HUP"); err != nil {
			return err
		}
		if err := c.eventually("the answer after a reload",
			get(c, "/answer", "second")); err != nil {
			return err
		}
		return c.eventually("the end of the workers from before the reload", func() error {
			return c.replaced(old)
		})
	}
	return twice(serve, reload)
}

func redisLife(c *container) error {
	say := func(command, want string) func() error {
		return func() error {
			answer, err := ask(c, 6379, command+"\r\n", len(want))
			if err == nil && answer != want {
				err = fmt.Errorf("%s gives %q, want %q", command, answer, want)
			}
			return err
		}
	}
	serve := func(c *container, again bool) error {
		if err := c.eventually("an answer", say("PING", "+PONG")); err != nil {
			return err
		}
		if again {
			return say("GET kept", "$3\r\nyes")()
		}
		return errors.Join(say("SET kept yes", "+OK")(), say("SAVE", "+OK")())
	}
	// It supports no reload, and must survive the signal for it.
	return twice(serve, func(c *container) error {
		return errors.Join(c.signal("HUP"), say("PING", "+PONG")())
	})(c)
}

func postgresLife(c *container) error {
	query := func(sql, want string) func() error {
		return func() error {
			answer, err := c.exec("postgres", "psql", "-qtA", "-P", "pager=off", "-c", sql)
			if err == nil && answer != want {
				err = fmt.Errorf("%s gives %q, want %q", sql, answer, want)
			}
			return err
		}
	}
	serve := func(c *container, again bool) error {
		if err := c.eventually("an answer", query("select 1", "1")); err != nil {
			return err
		}
		if err := c.socketFolder(); err != nil || again {
			return errors.Join(err, query("select sum(n) from kept", "5050")())
		}
		return query("set client_min_messages = warning; create table if not exists kept as "+
			"select generate_series(1, 100) n", "")()
	}
	reload := func(c *container) error {
		if err := query("alter system set work_mem = '7MB'", "")(); err != nil {
			return err
		}
		if err := c.signal("HUP"); err != nil {
			return err
		}
		return c.eventually("the setting after a reload", query("show work_mem", "7MB"))
	}
	return twice(serve, reload)(c)
}

// socketFolder checks the mode that the start script sets.
func (c *container) socketFolder() error {
	mode, err := c.exec("postgres", "stat", "-c", "%a", "/var/run/postgresql")
	if err == nil && mode != "3775" {
		err = fmt.Errorf("the folder of the socket has mode %s, want 3775", mode)
	}
	return err
}

// filled creates a data folder as a first container leaves it, with everything that the engine
// grants.
func filled(tb testing.TB, e *dockertest.Engine, w workload) string {
	tb.Helper()
	dir := tb.TempDir()
	w.fresh = nil
	w.host = map[string]any{"Binds": []string{dir + ":" + postgresData}}
	c, err := create(e, w, w.name+"-filler", grant{})
	if err == nil {
		defer c.remove()
		err = w.life(c)
	}
	if err != nil {
		tb.Fatalf("cannot fill the data folder of %s: %v", w.name, err)
	}
	return dir
}

// copied gives a container a copy of a data folder.
func copied(tb testing.TB, golden string) (map[string]any, error) {
	dir := filepath.Join(tb.TempDir(), "data")
	out, err := exec.Command("cp", "-a", golden, dir).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("copy the data folder: %w: %s", err, out)
	}
	return map[string]any{"Binds": []string{dir + ":" + postgresData}}, err
}

const postgresData = "/var/lib/postgresql/data"

// sshKey creates a key pair for the logins; the public half goes into the container's environment.
func sshKey(tb testing.TB) (private, public string) {
	tb.Helper()
	private = filepath.Join(tb.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", private).
		CombinedOutput(); err != nil {
		tb.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	text, err := os.ReadFile(private + ".pub")
	if err != nil {
		tb.Fatal(err)
	}
	return private, strings.TrimSpace(string(text))
}

// sshLife logs in as root and as another user, with and without a terminal, and by sftp into a
// chroot.
func sshLife(key string) func(*container) error {
	serve := func(c *container, _ bool) error {
		if err := c.eventually("a greeting", func() error {
			greeting, err := ask(c, 22, "SSH-2.0-truth\r\n", 7)
			if err == nil && greeting != "SSH-2.0" {
				err = fmt.Errorf("it greets with %q", greeting)
			}
			return err
		}); err != nil {
			return err
		}
		for _, login := range []struct {
			client []string
			input  string
			want   string
		}{
			{[]string{"ssh", "root@127.0.0.1", "id -u"}, "", "0"},
			{[]string{"ssh", "postgres@127.0.0.1", "id -un"}, "", "postgres"},
			{[]string{"ssh", "-tt", "postgres@127.0.0.1", "id -un; stat -c %U $(tty)"}, "",
				"postgres\r\npostgres"},
			{[]string{"sftp", "-b", "-", "www-data@127.0.0.1"}, "ls /\n", "/sftp"},
		} {
			if err := c.login(key, login.client, login.input, login.want); err != nil {
				return err
			}
		}
		return nil
	}
	reload := func(c *container) error {
		if err := c.signal("HUP"); err != nil {
			return err
		}
		// It still answers for a moment before it restarts itself.
		if err := c.eventually("a restart", func() error {
			if text := c.logs(); !strings.Contains(text, "SIGHUP; restarting") {
				return errors.New("it does not tell of one")
			}
			return nil
		}); err != nil {
			return err
		}
		return serve(c, true)
	}
	return twice(serve, reload)
}

// login runs Debian's client in the container's network namespace.
func (c *container) login(key string, client []string, input, want string) error {
	s, err := c.state()
	if err != nil {
		return err
	}
	options := "-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o " +
		"BatchMode=yes -o LogLevel=ERROR -o ConnectTimeout=5"
	line := append([]string{"20", "nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", s.Pid), client[0],
		"-i", key}, strings.Fields(options)...)
	cmd := exec.Command("timeout", append(line, client[1:]...)...)
	cmd.Stdin = strings.NewReader(input)
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), want) {
		return fmt.Errorf("%s: %q, %v %s; %s", strings.Join(client, " "), out, err,
			strings.TrimSpace(problem.String()), c.logs())
	}
	return nil
}
