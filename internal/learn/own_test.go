package learn

import (
	"testing"

	"dropcap"
	"dropcap/caps"
)

func TestWhatAnExecHoldsIsNotHeldByTheWorkload(t *testing.T) {
	own, ok := ownSet([]dropcap.Process{
		{Origin: dropcap.OriginInit, Bounding: "0000000000000001"},
		{Origin: dropcap.OriginChild, Bounding: "0000000000000002"},
		{Origin: dropcap.OriginExec, Bounding: "000001ffffffffff"},
		{Origin: dropcap.OriginExecPrivileged, Bounding: "000001ffffffffff"},
	})
	if !ok || own != caps.Set(3) {
		t.Errorf("held: %v, %v", own, ok)
	}
	own, ok = ownSet([]dropcap.Process{
		// without a bounding set, and one whose sets refer to a user namespace of its own
		{Origin: dropcap.OriginInit, Bounding: "0", Permitted: "0000000000000004"},
		{Origin: dropcap.OriginChild, Bounding: "000001ffffffffff", UserNS: dropcap.UserNSNested},
	})
	if !ok || own != caps.Set(4) {
		t.Errorf("held without a bounding set: %v, %v", own, ok)
	}
	if _, ok := ownSet([]dropcap.Process{{Origin: dropcap.OriginExec, Bounding: "1"}}); ok {
		t.Error("an exec alone tells what the workload holds")
	}
}
