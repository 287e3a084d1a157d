package bpf

// The objects are committed, since the machines that build dropcap have no clang;
// `test/hosts/provision clang` installs the one that compiles them.
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -no-global-types -type group -type sighting -type home -type check -type tally -type call_stack -type call_path -type program -type program_path -cflags "-Wall -Werror -mcpu=v3" capability programs/capability.c
//go:generate programs/syscalls
