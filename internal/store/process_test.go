package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"dropcap"
)

// The test's own program is the other process: "count N" adds N sources, "begin N" begins N
// requests, "lock" and "request ID" hold a lock until its input ends.
func TestMain(m *testing.M) {
	if folder := os.Getenv("DROPCAP_STORE_TEST"); folder != "" {
		if err := other(folder, os.Args[1:]); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func other(folder string, args []string) error {
	s, err := Open(folder)
	if err != nil {
		return err
	}
	defer s.Close()
	if args[0] == "lock" {
		if _, err := s.Lock("learn"); err != nil {
			return err
		}
		fmt.Println("locked")
		_, err = io.Copy(io.Discard, os.Stdin)
		return err
	}
	if args[0] == "request" {
		if _, ok, err := s.LockRequest(args[1]); err != nil || !ok {
			return fmt.Errorf("%v, %w", ok, err)
		}
		fmt.Println("locked")
		_, err = io.Copy(io.Discard, os.Stdin)
		return err
	}
	n, _ := strconv.Atoi(args[1])
	if args[0] == "begin" {
		return beginMany(s, n)
	}
	for i := range n {
		if err := add(s, "w", "r"); err != nil {
			return err
		}
		fmt.Println(i + 1)
	}
	return nil
}

// beginMany begins requests and prints those that it was the first to begin.
func beginMany(s *Store, n int) error {
	for i := range n {
		_, begun, err := s.BeginReceipt(context.Background(), dropcap.Receipt{Request: request(i)})
		if err != nil {
			return err
		}
		if begun {
			fmt.Println(request(i))
		}
	}
	return nil
}

type process struct {
	*exec.Cmd
	out *bufio.Scanner
	in  io.Closer
}

func start(t *testing.T, folder string, args ...string) process {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "DROPCAP_STORE_TEST="+folder)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return process{cmd, bufio.NewScanner(out), in}
}

// Two processes that create the store at the same time and then write the same document lose
// nothing of each other's.
func TestTwoProcessesAtOnce(t *testing.T) {
	folder := t.TempDir() + "/s"
	const each = 40
	both := []process{start(t, folder, "count", strconv.Itoa(each)),
		start(t, folder, "count", strconv.Itoa(each))}
	for _, p := range both {
		var last string
		for p.out.Scan() {
			last = p.out.Text()
		}
		if err := p.Wait(); err != nil {
			t.Fatalf("%v: %s", err, last)
		}
	}
	if got := len(evidence(t, open(t, folder))[0].Sources); got != 2*each {
		t.Errorf("%d sources, want %d", got, 2*each)
	}
}

// What a process knows to be stored stays stored even if it is killed while writing more.
func TestAKilledWriterLosesNothing(t *testing.T) {
	folder := t.TempDir() + "/s"
	want := 0
	for round := range 8 {
		p := start(t, folder, "count", "100000")
		acknowledged := 0
		for p.out.Scan() {
			n, err := strconv.Atoi(p.out.Text())
			if err != nil {
				t.Fatal(p.out.Text())
			}
			if acknowledged = n; n == 1 {
				timer := time.AfterFunc(time.Duration(1+round*13)*time.Millisecond, func() {
					_ = p.Process.Kill()
				})
				defer timer.Stop()
			}
		}
		_ = p.Wait()
		s := open(t, folder)
		got := len(evidence(t, s)[0].Sources)
		s.Close()
		if acknowledged == 0 || got < want+acknowledged || got > want+acknowledged+1 {
			t.Fatalf("round %d: %d sources, %d before and %d acknowledged", round, got, want,
				acknowledged)
		}
		want = got
	}
}

func TestOneHolderOfALock(t *testing.T) {
	folder := t.TempDir() + "/s"
	s := open(t, folder)
	p := start(t, folder, "lock")
	if !p.out.Scan() || p.out.Text() != "locked" {
		t.Fatal(p.out.Text())
	}
	_, err := s.Lock("learn")
	checkSentence(t, err, "process "+strconv.Itoa(p.Process.Pid)+", since "+
		time.Now().UTC().Format("2006-"))
	if unlock, err := s.Lock("apply"); err != nil {
		t.Errorf("another lock: %v", err)
	} else if err := unlock(); err != nil {
		t.Error(err)
	}
	_ = p.Process.Kill() // without unlocking
	_ = p.Wait()
	unlock, err := s.Lock("learn")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Lock("learn")
	checkSentence(t, err, "process "+strconv.Itoa(os.Getpid()))
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if unlock, err = s.Lock("learn"); err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "../x", strings.Repeat("a", 99)} {
		_, err := s.Lock(bad)
		checkSentence(t, err, "no name of a lock")
	}
}
