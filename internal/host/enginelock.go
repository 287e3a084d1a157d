package host

import (
	"context"
	"os"
	"path/filepath"

	"dropcap/internal/store"
)

// locks keep two dropcaps from changing containers of one engine at once.
type locks struct {
	compose string // the file that a docker compose inherits
	unlock  []func() error
}

// lock takes the store's lock and the engine's, since each store has a journal of its own and knows
// nothing of the other's changes. An engine without an id is identified by its address.
func lock(ctx context.Context, h *Session, s *store.Store) (*locks, error) {
	l := &locks{compose: filepath.Join(s.Folder(), "compose.lock")}
	unlock, err := s.Lock("change")
	if err != nil {
		return nil, err
	}
	l.unlock = append(l.unlock, unlock)
	folder := locksFolder()
	if folder == "" {
		return l, nil
	}
	if err := l.engine(ctx, h, folder); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

func (l *locks) engine(ctx context.Context, h *Session, folder string) error {
	key, err := h.Identity(ctx)
	if err != nil {
		return err
	}
	if key == "" {
		key = h.Address()
	}
	e, err := store.LocksOf(folder, key)
	if err != nil {
		return err
	}
	unlock, err := e.Lock("change")
	if err != nil {
		return err
	}
	l.unlock, l.compose = append(l.unlock, unlock), e.Path("compose")
	return nil
}

// release releases all locks, as the end of the process does.
func (l *locks) release() {
	for _, unlock := range l.unlock {
		_ = unlock()
	}
}

// locksFolder is where processes of one user find each other, whatever store they use: root's, or
// the user's own whose the engine is. Empty: there is none, and only the store is locked.
func locksFolder() string {
	switch own := os.Getenv("XDG_RUNTIME_DIR"); {
	case faultyLocks() != "":
		return faultyLocks()
	case os.Geteuid() == 0:
		return "/run/dropcap"
	case filepath.IsAbs(own):
		return filepath.Join(own, "dropcap")
	}
	return ""
}
