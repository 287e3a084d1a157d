package vm

import (
	"os"
	"time"
)

// Option changes how a machine is built.
type Option func(*options)

type options struct {
	memory      int // MiB
	cpus        int
	files       []file
	modules     []string
	args        []string
	counted     bool
	bootTimeout time.Duration
}

type file struct {
	path string
	data []byte
	mode os.FileMode
}

// defaults are what each kind needs and no more. The timeout allows for a busy test host: a host
// boots in about 35 s on two free cores.
func defaults(kind Kind) options {
	if kind.disk {
		return options{memory: 2048, cpus: 2, bootTimeout: 4 * time.Minute}
	}
	return options{memory: 512, cpus: 2, bootTimeout: 2 * time.Minute}
}

// Memory sets the machine's memory in MiB; 2048 for a host and 512 for a bare kernel by default.
func Memory(mib int) Option { return func(o *options) { o.memory = mib } }

// CPUs sets the number of processors; 2 by default.
func CPUs(n int) Option { return func(o *options) { o.cpus = n } }

// File adds a file before the machine's first program runs; on a host it is then an ordinary file
// of its disk.
func File(path string, data []byte, mode os.FileMode) Option {
	return func(o *options) { o.files = append(o.files, file{path, data, mode}) }
}

// Modules loads kernel modules, by name, before a bare kernel's agent starts. A host loads modules
// by itself.
func Modules(names ...string) Option {
	return func(o *options) { o.modules = append(o.modules, names...) }
}

// BootTimeout limits Start and Boot; 4 minutes for a host and 2 for a bare kernel by default.
func BootTimeout(d time.Duration) Option { return func(o *options) { o.bootTimeout = d } }

// Args adds to the kernel's command line.
func Args(args ...string) Option { return func(o *options) { o.args = append(o.args, args...) } }

// Counted makes the machine's time the number of instructions that it executed, a nanosecond for
// each, so that what it measures does not depend on how busy this host is.
func Counted() Option { return func(o *options) { o.counted = true } }
