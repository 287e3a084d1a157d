// Package store keeps what must outlive a run in one SQLite file: the evidence of workloads, the
// journal of changes with what undoes them, the receipts of what was done for a fleet, a
// controller's runs, and a secret for keyed fingerprints. It never lets another user read or write
// its files, never writes half of a change, and never opens a file of a newer version.
package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// DefaultFolder is the store's folder unless --store names another.
const DefaultFolder = "/var/lib/dropcap"

const fileName = "store.db"

// Store is an open store. It is safe for concurrent use, and several processes may use the same
// folder.
type Store struct {
	folder string
	db     *sql.DB
	secret []byte
}

// Open opens the store in a folder, and creates both if missing: the folder with mode 0700, the
// files with 0600. It refuses a folder that is a link, belongs to somebody else or is writable by
// others, and a store of a newer version. An existing store on a read-only file system is readable.
func Open(folder string) (*Store, error) {
	folder, err := secure(folder)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(folder, fileName)
	if err := secureFile(file); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", address(file))
	if err != nil {
		return nil, sentence(folder, err)
	}
	// One connection: SQLite allows one writer at a time anyhow, and so the writers of one process
	// wait in turn instead of polling.
	db.SetMaxOpenConns(1)
	s := &Store{folder: folder, db: db}
	if err := s.prepare(context.Background()); err != nil {
		db.Close()
		return nil, sentence(folder, err)
	}
	return s, nil
}

// Exists reports whether there is a store in the folder, without creating one.
func Exists(folder string) bool {
	info, err := os.Lstat(filepath.Join(folder, fileName))
	return err == nil && info.Mode().IsRegular()
}

// address returns the data source name with the settings of every connection.
//
// journal_mode is TRUNCATE and not WAL: a store on a read-only or a full disk must still be
// readable, and WAL must write to let anyone read. With synchronous FULL the truncation itself is
// synced, so that what was committed outlives a loss of power (SQLite pager.c,
// pager_end_transaction); DELETE would need EXTRA for that. secure_delete, since a journal of
// changes contains secrets that must not linger in free pages. max_page_count: 1 GiB of 4 KiB
// pages.
func address(file string) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(TRUNCATE)", "synchronous(FULL)", "foreign_keys(1)",
		"secure_delete(1)", "trusted_schema(0)",
		"max_page_count(262144)",
	}}
	return (&url.URL{Scheme: "file", Path: file, RawQuery: q.Encode()}).String()
}

func (s *Store) prepare(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	return s.db.QueryRowContext(ctx, "SELECT bytes FROM secret").Scan(&s.secret)
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }

// Folder returns the store's folder, as an absolute path.
func (s *Store) Folder() string { return s.folder }

// Fingerprint returns 64 hexadecimal digits that are the same for the same data and this store, and
// reveal nothing about the data without the store: HMAC-SHA-256 with its secret.
func (s *Store) Fingerprint(data []byte) string {
	h := hmac.New(sha256.New, s.secret)
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// inTransaction runs do in one transaction that holds the write lock from its beginning, and rolls
// it back if do fails.
func (s *Store) inTransaction(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // no effect after a commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// syncFolder makes the entries of a folder durable.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
