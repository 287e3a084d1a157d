// Command sheds gives up capabilities in all of its threads, prints "ready", and waits for its end:
// with "bounding" the whole bounding set and nothing else, with "all" every set, and with "raw"
// NET_RAW of every set. With "bounding" it opens a raw socket afterwards.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

const (
	readBounding, dropBounding = 23, 24 // PR_CAPBSET_READ, PR_CAPBSET_DROP (linux/prctl.h)

	netRaw = 13
)

func main() {
	for c := uintptr(0); has(c); c++ {
		if os.Args[1] != "raw" || c == netRaw {
			check(syscall.AllThreadsSyscall(syscall.SYS_PRCTL, dropBounding, c, 0))
		}
	}
	switch os.Args[1] {
	case "bounding":
		if _, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW,
			syscall.IPPROTO_ICMP); err != nil {
			fail(err)
		}
	case "all":
		keep([6]uint32{})
	case "raw":
		sets := current()
		for i := range 3 { // the lower halves of effective, permitted and inheritable
			sets[i] &^= 1 << netRaw
		}
		keep(sets)
	}
	fmt.Println("ready")
	wait := make(chan os.Signal, 1)
	signal.Notify(wait, syscall.SIGTERM)
	<-wait
}

// has reports whether the kernel knows the capability.
func has(c uintptr) bool {
	_, _, err := syscall.RawSyscall(syscall.SYS_PRCTL, readBounding, c, 0)
	return err == 0
}

// header is struct __user_cap_header_struct of linux/capability.h, followed by two triples of
// effective, permitted and inheritable.
type header struct {
	version uint32
	pid     int32
}

const version3 = 0x20080522

func current() (sets [6]uint32) {
	h := header{version: version3}
	check(syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&h)),
		uintptr(unsafe.Pointer(&sets)), 0))
	return sets
}

func keep(sets [6]uint32) {
	h := header{version: version3}
	check(syscall.AllThreadsSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&h)),
		uintptr(unsafe.Pointer(&sets)), 0))
}

func check(_, _ uintptr, err syscall.Errno) {
	if err != 0 {
		fail(err)
	}
}

func fail(err error) {
	fmt.Println("failed:", err)
	os.Exit(1)
}
