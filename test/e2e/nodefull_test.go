package e2e_test

import (
	"os"
	"path/filepath"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// On a full disk a request soon fails with a sentence, and earlier receipts are still available.
func TestANodeOnAFullDisk(t *testing.T) {
	dir := testenv.SmallDisk(t, "512k")
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "web"})
	p := on(e).with("DROPCAP_STORE=" + filepath.Join(dir, "s"))
	p.node(t, "audit", "--request="+requestID(1))
	filler := filepath.Join(dir, "filler")
	testenv.Fill(t, filler)
	r := p.run(t, "node", "audit", "--request="+requestID(2), "--deadline=5")
	r.wantError(t, 1, "the disk is full")
	if r := p.node(t, "receipt", "--of="+requestID(1)); r.State != dropcap.ReceiptDone {
		t.Errorf("what was done before: %+v", r)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if r := p.node(t, "audit", "--request="+requestID(2)); r.State != dropcap.ReceiptDone ||
		r.Status != 3 {
		t.Errorf("after making room: %+v", r)
	}
}
