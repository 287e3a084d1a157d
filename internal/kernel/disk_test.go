package kernel

import (
	"path/filepath"
	"testing"
)

func TestRoomIsMeasuredAtTheNearestParent(t *testing.T) {
	dir := t.TempDir()
	parent, free, readOnly, err := Room(filepath.Join(dir, "not/there/yet"))
	if err != nil || parent != dir || free == 0 || readOnly {
		t.Errorf("Room = %s, %d, %v, %v; want something at %s", parent, free, readOnly, err, dir)
	}
}
