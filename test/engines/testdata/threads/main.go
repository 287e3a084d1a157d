// Command threads gives up NET_RAW in its first thread, and keeps it in the others.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func init() { runtime.LockOSThread() } // main stays on the first thread

func main() {
	const dropBounding, netRaw = 24, 13 // PR_CAPBSET_DROP (linux/prctl.h), CAP_NET_RAW
	if _, _, err := syscall.RawSyscall(syscall.SYS_PRCTL, dropBounding, netRaw, 0); err != 0 {
		fmt.Println("prctl:", err)
		os.Exit(1)
	}
	fmt.Println("ready")
	wait := make(chan os.Signal, 1)
	signal.Notify(wait, syscall.SIGTERM)
	<-wait
}
