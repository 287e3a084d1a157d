package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"

	"dropcap"
)

// maxKeep limits what is kept to restore one container. Its description is about 20 KiB, and that
// of one network with a thousand containers 500.
const maxKeep = 32 << 20

// second is version 2: the journal. number is the order in which changes began; kept is what
// restores a container, secrets included.
func second(ctx context.Context, tx *sql.Tx) error {
	for _, q := range []string{
		`CREATE TABLE change (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, document BLOB NOT NULL,
			digest BLOB NOT NULL) STRICT`,
		`CREATE TABLE kept (change TEXT NOT NULL REFERENCES change (id) ON DELETE CASCADE, name TEXT NOT NULL, value BLOB NOT NULL,
			digest BLOB NOT NULL, PRIMARY KEY (change, name)) STRICT`,
	} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// Write adds a note to the journal: all of it, durably, or nothing. A Keep that is not nil replaces
// what was kept; an empty one deletes it.
func (s *Store) Write(ctx context.Context, n dropcap.Note) error {
	return sentence(s.folder, s.inTransaction(ctx, func(tx *sql.Tx) error {
		document, err := json.Marshal(n.Change)
		if err != nil {
			return err
		}
		if len(document) > MaxDocument || n.Change.ID == "" {
			return dropcap.Errorf(dropcap.CodeError, "",
				"cannot keep the change %q: it has no id, or is larger than %d MiB", n.Change.ID,
				MaxDocument>>20)
		}
		digest := sha256.Sum256(document)
		_, err = tx.ExecContext(ctx,
			`INSERT INTO change (id, state, document, digest) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET state = excluded.state, document = excluded.document, digest = excluded.digest`,
			n.Change.ID, string(n.Change.State), document, digest[:])
		if err != nil || n.Keep == nil {
			return err
		}
		return keep(ctx, tx, n.Change.ID, n.Keep)
	}))
}

func keep(ctx context.Context, tx *sql.Tx, change string, values map[string]json.RawMessage) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM kept WHERE change = ?", change); err != nil {
		return err
	}
	size := 0
	for name, value := range values {
		if size += len(name) + len(value); size > maxKeep {
			return dropcap.Errorf(dropcap.CodeError, "",
				"cannot keep what restores the container: it is larger than %d MiB", maxKeep>>20)
		}
		digest := sha256.Sum256(value)
		_, err := tx.ExecContext(ctx,
			"INSERT INTO kept (change, name, value, digest) VALUES (?, ?, ?, ?)", change, name,
			[]byte(value), digest[:])
		if err != nil {
			return err
		}
	}
	return nil
}

// Changes returns all changes, the newest first.
func (s *Store) Changes(ctx context.Context) ([]dropcap.Change, error) {
	list, err := all[dropcap.Change](ctx, s, s.unsealChange,
		"SELECT document, digest FROM change ORDER BY number DESC")
	return list, sentence(s.folder, err)
}

// Unfinished returns the changes that have not ended, the newest first: those under way when
// dropcap, or the power, failed.
func (s *Store) Unfinished(ctx context.Context) ([]dropcap.Change, error) {
	list, err := all[dropcap.Change](ctx, s, s.unsealChange,
		"SELECT document, digest FROM change WHERE state NOT IN (?, ?, ?, ?) ORDER BY number DESC",
		string(dropcap.Applied), string(dropcap.RolledBack), string(dropcap.BackedOut),
		string(dropcap.NeedsPerson))
	return list, sentence(s.folder, err)
}

// Kept returns what restores the container of a change; empty if nothing is kept. It contains
// secrets.
func (s *Store) Kept(ctx context.Context, change string) (map[string]json.RawMessage, error) {
	values, err := s.kept(ctx, change)
	return values, sentence(s.folder, err)
}

func (s *Store) kept(ctx context.Context, change string) (map[string]json.RawMessage, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT name, value, digest FROM kept WHERE change = ?",
		change)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	values := map[string]json.RawMessage{}
	for rows.Next() {
		var name string
		var value, digest sql.RawBytes
		if err := rows.Scan(&name, &value, &digest); err != nil {
			return nil, err
		}
		if !whole(value, digest) {
			return nil, s.damagedJournal()
		}
		values[name] = bytes.Clone(value)
	}
	return values, rows.Err()
}

var errJournal = errors.New("the journal of changes is damaged")

// damagedJournal must not advise a fresh start: the retained containers' names are the only way
// back then.
func (s *Store) damagedJournal() error {
	return dropcap.Errorf(dropcap.CodeError,
		"put a copy of the store in its place; what was retained is still there: `docker ps "+
			"--all --filter name=-dropcap-`",
		"cannot use the store %s: %w", s.folder, errJournal)
}
