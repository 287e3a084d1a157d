package e2e_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// On a full disk a request fails with a sentence, soon, and what was done before can still be asked for.
func TestANodeOnAFullDisk(t *testing.T) {
	testenv.Need(t, testenv.Root)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=512k,mode=0755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "web"})
	p := on(e).with("DROPCAP_STORE=" + filepath.Join(dir, "s"))
	p.node(t, "audit", "--request="+requestID(1))
	filler := filepath.Join(dir, "filler")
	fillUp(t, filler)
	r := p.run(t, "node", "audit", "--request="+requestID(2), "--deadline=5")
	r.wantError(t, 1, "the disk is full")
	if r := p.node(t, "receipt", "--of="+requestID(1)); r.State != dropcap.ReceiptDone {
		t.Errorf("what was done before: %+v", r)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if r := p.node(t, "audit", "--request="+requestID(2)); r.State != dropcap.ReceiptDone || r.Status != 3 {
		t.Errorf("after making room: %+v", r)
	}
}

// fillUp writes a file until there is no room left.
func fillUp(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, n := range []int{4096, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, n))
		}
	}
}
