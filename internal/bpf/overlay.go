package bpf

import "github.com/cilium/ebpf/btf"

// upperAt returns the offset, from the plain inode, at which an overlay's inode names its part in
// the upper layer. It uses the kernel's own description if that has the field by now; 0 stands for
// where the field has been in every kernel since 4.13, right behind the plain inode.
func upperAt() int64 {
	for _, load := range []func() (*btf.Spec, error){btf.LoadKernelSpec, func() (*btf.Spec, error) {
		return btf.LoadKernelModuleSpec("overlay")
	}} {
		spec, err := load()
		if err != nil {
			continue
		}
		var inode *btf.Struct
		if spec.TypeByName("ovl_inode", &inode) != nil {
			continue
		}
		plain, upper := int64(-1), int64(-1)
		for _, m := range inode.Members {
			switch m.Name {
			case "vfs_inode":
				plain = int64(m.Offset.Bytes())
			case "__upperdentry":
				upper = int64(m.Offset.Bytes())
			}
		}
		if plain >= 0 && upper >= 0 {
			return upper - plain
		}
		return nowhere
	}
	return 0
}

// nowhere is past every inode: a read there fails, and the file counts as written.
const nowhere = -1 << 62
