// Serve is what runs in the containers whose change is tested: it answers on a port with its host
// name, stops at once when told to, and, where containers share a folder, proves that no two of
// them ever ran at a time. As "serve get HOST:PORT" it asks another and prints the answer.
//
//	PORT     where it listens; 80 without
//	SHARED   a folder: it holds a lock on the file "lock" there as long as it lives, and writes "start" or "overlap" to the file "log"
//	CHOWN    a path whose owner it changes first; it ends with status 1 if the kernel refuses that
//	WRITES   a folder: it writes into its files all the time, also by mmap, and into "log" what it does
//	STUBBORN any value: SIGTERM does not end it
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	do := run
	if len(os.Args) == 3 && os.Args[1] == "get" {
		do = func() error { return get(os.Args[2]) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run() error {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	if path := os.Getenv("CHOWN"); path != "" {
		if err := chown(path); err != nil {
			return err
		}
	}
	if dir := os.Getenv("SHARED"); dir != "" {
		lock, err := claim(dir)
		if err != nil {
			return err
		}
		defer lock.Close()
	}
	if dir := os.Getenv("WRITES"); dir != "" {
		over, err := work(dir)
		if err != nil {
			return err
		}
		defer over()
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "80"
	}
	l, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	go serve(l)
	for {
		<-end
		if os.Getenv("STUBBORN") == "" {
			return nil
		}
	}
}

func chown(path string) error {
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	return os.Chown(path, 1000, 1000)
}

// claim takes the lock. The kernel releases it when the process has ended, and not before, so a
// process that does not get it at once runs beside another.
func claim(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	word := "start"
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		word = "overlap"
	}
	if _, err := fmt.Fprintf(log, "%s %s\n", word, bounding()); err != nil {
		return nil, err
	}
	return lock, log.Sync()
}

// bounding distinguishes the old container from the new one: CapBnd of proc_pid_status(5).
func bounding() string {
	text, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(text), "\nCapBnd:\t")
	mask, _, _ := strings.Cut(rest, "\n")
	return mask
}

func serve(l net.Listener) {
	name, _ := os.Hostname()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go answer(c, name)
	}
}

// answer implements just enough HTTP for wget. It reads the request first: closing a socket with
// unread data resets it (tcp_close).
func answer(c net.Conn, name string) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	fmt.Fprintf(c, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s\n", len(name)+1, name)
}

// get needs no library of the image to resolve an address, unlike a static busybox.
func get(address string) error {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	text, err := io.ReadAll(c)
	if err != nil {
		return err
	}
	_, body, _ := strings.Cut(string(text), "\r\n\r\n")
	_, err = io.WriteString(os.Stdout, body)
	return err
}
