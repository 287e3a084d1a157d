package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"

	"dropcap"
)

// application marks the file as ours in its header (SQLite, PRAGMA application_id): "dcap".
const application = 0x64636170

// migrations bring a store from the version that is their index to the next one. A released
// migration never changes; a new kind of content, such as the journal of changes, is one more.
var migrations = []func(context.Context, *sql.Tx) error{first, second, third, fourth, fifth}

// first is version 1: the secret and the evidence. digest covers the document, since SQLite notices
// only damage to its own structure.
func first(ctx context.Context, tx *sql.Tx) error {
	for _, q := range []string{
		`CREATE TABLE secret (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), bytes BLOB NOT NULL CHECK (length(bytes) = 32)) STRICT`,
		`CREATE TABLE evidence (workload TEXT NOT NULL, revision TEXT NOT NULL, changed TEXT NOT NULL, document BLOB NOT NULL,
			digest BLOB NOT NULL, UNIQUE (workload, revision)) STRICT`,
	} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails (crypto/rand, since Go 1.24)
	_, err := tx.ExecContext(ctx, "INSERT INTO secret VALUES (1, ?)", secret)
	return err
}

// migrate brings the store to the newest version. It does not write to a current one.
func (s *Store) migrate(ctx context.Context) error {
	version, err := s.version(ctx, s.db)
	if err != nil || version == len(migrations) {
		return err
	}
	return s.inTransaction(ctx, func(tx *sql.Tx) error {
		version, err := s.version(ctx, tx) // another process may have been faster
		if err != nil {
			return err
		}
		for _, m := range migrations[version:] {
			if err := m(ctx, tx); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx,
			fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", application,
				len(migrations)))
		return err
	})
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// version returns the store's version, 0 for an empty file. A file that is not ours, or from a
// newer dropcap, is an error.
func (s *Store) version(ctx context.Context, q querier) (int, error) {
	var version, mark, tables int
	err := q.QueryRowContext(ctx,
		"SELECT (SELECT * FROM pragma_user_version), (SELECT * FROM pragma_application_id), "+
			"(SELECT count(*) FROM sqlite_schema)").
		Scan(&version, &mark, &tables)
	switch {
	case err != nil:
		return 0, err
	case mark != application && (version != 0 || mark != 0 || tables != 0):
		return 0, dropcap.Errorf(dropcap.CodeError, "name another folder with --store",
			"cannot use the store %s: %s there is another program's", s.folder, fileName)
	case version > len(migrations):
		return 0, dropcap.Errorf(dropcap.CodeError,
			"use that version of dropcap or a later one, or another folder with --store",
			"cannot use the store %s: a newer dropcap has written it (format %d, and this one "+
				"knows %d)", s.folder, version, len(migrations))
	case version < 0:
		what, hint := damaged(s.folder)
		return 0, dropcap.Errorf(dropcap.CodeError, hint, "cannot use the store %s: %s", s.folder,
			what)
	}
	return version, nil
}
