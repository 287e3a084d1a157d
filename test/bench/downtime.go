package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"dropcap/internal/testenv"
)

// pollFlag makes this program a client that polls an address every millisecond and, when its input
// ends, prints the longest time without an answer.
const pollFlag = "poll"

// poll measures what a container's users notice of a change.
func poll(address string) {
	stop := make(chan bool)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	var longest time.Duration
	var last time.Time
	for {
		if asked(address) {
			now := time.Now()
			if last.IsZero() {
				fmt.Println("answers")
			} else {
				longest = max(longest, now.Sub(last))
			}
			last = now
		}
		select {
		case <-stop:
			fmt.Println(longest.Microseconds())
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func asked(address string) bool {
	c, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := io.WriteString(c, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return false
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && strings.Contains(answer, "200")
}

// reach is how users connect to a container, with the options for `docker run` and for compose.
type reach struct {
	name    string
	run     []string
	compose string
	rounds  int
}

// A published port adds nearly a second to every method: a request while the container is away
// leaves the kernel with an unanswered ARP request, which it repeats after a second (arp(7),
// retrans_time_ms). On the host's network only the work of the engine and its caller is measured,
// so more rounds are useful there.
var reaches = []reach{
	{"on a port of the host's network", []string{"--network", "host", "-e", "PORT=8099"},
		"    network_mode: host\n    environment: {PORT: \"8099\"}\n", 21},
	{"on a published port", []string{"-p", "8099:80"}, "    ports: [\"8099:80\"]\n", 7},
}

// downtime compares what users of a container that stops at once notice of a change of its
// capabilities.
func (b *bench) downtime() error {
	if err := testenv.Check(testenv.Compose); err != nil {
		return err
	}
	if err := b.servingImage(); err != nil {
		return err
	}
	for _, r := range reaches {
		if err := b.downtimeBy(r); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) downtimeBy(r reach) error {
	compose := filepath.Join(b.dir, "compose.yaml")
	plainly := func() error {
		return b.command("docker", append(append([]string{"run", "-d", "--name", "web"}, r.run...),
			"serve:1")...)
	}
	methods := []method{
		{"docker restart", plainly, b.shellOf("docker restart web")},
		{"dropcap apply", plainly, func() error {
			return b.command(b.dropcap, "apply", "web", "--yes", "--soak", "0s", "--store",
				filepath.Join(b.dir, "store"))
		}},
		{"docker compose up -d, with a changed file", func() error {
			return b.composed(compose, r.compose)
		}, func() error {
			return b.composed(compose, r.compose+"    cap_drop: [NET_RAW]\n")
		}},
		{"a script: stop, rm, create, start", plainly,
			b.shellOf("docker stop web >/dev/null; docker rm web; docker create --name web " +
				strings.Join(r.run, " ") + " --cap-drop NET_RAW serve:1; docker start web")},
	}
	gaps := make([][]float64, len(methods))
	for round := range r.rounds + 1 {
		for i, w := range methods {
			gap, err := b.gap(w)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			if round > 0 {
				gaps[i] = append(gaps[i], gap)
			}
		}
	}
	fmt.Printf("Downtime of a container that stops at once, seen by a client that asks every "+
		"millisecond %s (median of %d)\n", r.name, r.rounds)
	median := func(i int) float64 { return slices.Sorted(slices.Values(gaps[i]))[r.rounds/2] }
	for i, w := range methods {
		fmt.Printf("  %-58s %8.1f ms\n", w.name, median(i))
	}
	b.promise("dropcap apply / docker restart", median(1)/median(0), 1.3, "")
	b.promise("dropcap apply / docker compose up -d", median(1)/median(2), 1.0, "")
	b.promise("dropcap apply / the script", median(1)/median(3), 1.0, "")
	fmt.Println()
	return nil
}

// method is a way of changing a container; make returns a running container to change.
type method struct {
	name   string
	make   func() error
	change func() error
}

func (b *bench) gap(w method) (ms float64, err error) {
	if err := b.command("sh", "-c",
		`c=$(docker ps -aq --filter name=web); [ -z "$c" ] || docker rm -f $c`); err != nil {
		return 0, err
	}
	if err := w.make(); err != nil {
		return 0, err
	}
	// The engine's ports are in its own network namespace.
	client := exec.Command("nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", b.engine.PID), b.self,
		pollFlag, "127.0.0.1:8099")
	in, err := client.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := client.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := client.Start(); err != nil {
		return 0, err
	}
	defer func() { in.Close(); _ = client.Wait() }()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return 0, errors.New("the container does not answer")
	}
	if err := w.change(); err != nil {
		return 0, err
	}
	time.Sleep(time.Second) // until it is sure to answer again
	in.Close()
	if !lines.Scan() {
		return 0, errors.New("the client has ended")
	}
	us, err := strconv.ParseFloat(lines.Text(), 64)
	return us / 1000, err
}

func (b *bench) composed(file, options string) error {
	text := "services:\n  s:\n    image: serve:1\n    container_name: web\n" + options
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	return b.command(filepath.Join(testenv.Cache(), "compose/v5/docker-compose"), "-f", file, "-p",
		"bench", "up", "-d", "--no-deps", "--no-build", "--pull", "never")
}

func (b *bench) shellOf(script string) func() error {
	return func() error { return b.command("sh", "-ec", script) }
}

func (b *bench) command(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = b.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", name, args, err, out)
	}
	return nil
}

// servingImage creates the image of the change tests' program, which stops at once.
func (b *bench) servingImage() error {
	program := filepath.Join(b.dir, "serve")
	build := exec.Command("go", "build", "-o", program, "./test/change/serve")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build serve: %w: %s", err, out)
	}
	pack := exec.Command("tar", "-C", b.dir, "-c", "serve")
	var tar bytes.Buffer
	pack.Stdout = &tar
	if err := pack.Run(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	status, answer, err := b.engine.Raw(ctx, http.MethodPost,
		"/images/create?fromSrc=-&repo=serve&tag=1&changes=CMD+%5B%22%2Fserve%22%5D", tar.String())
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("import: %d %s", status, answer)
	}
	return err
}
