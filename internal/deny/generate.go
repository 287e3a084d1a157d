package deny

// The objects are committed, as internal/bpf's are; most of their source is the same.
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -no-global-types -type container_id -type expectation -type counted -type check -type tally -cflags "-Wall -Werror -mcpu=v3" denial programs/deny.c
