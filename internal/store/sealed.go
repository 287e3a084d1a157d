package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"

	"dropcap"
)

// sealed returns a document with its digest, which SQLite does not have.
func sealed(v any) (document, digest []byte, err error) {
	if document, err = json.Marshal(v); err != nil {
		return nil, nil, err
	}
	if len(document) > MaxReceipt {
		return nil, nil, dropcap.Errorf(dropcap.CodeError, "",
			"cannot keep a document of %d bytes: at most %d MiB are kept", len(document),
			MaxReceipt>>20)
	}
	sum := sha256.Sum256(document)
	return document, sum[:], nil
}

// unseal reads a document. The error says that it is not what was written.
func (s *Store) unseal(document, digest []byte, into any) error {
	if !whole(document, digest) || json.Unmarshal(document, into) != nil {
		return s.damaged()
	}
	return nil
}

// unsealChange is unseal for the journal, which must not be started afresh.
func (s *Store) unsealChange(document, digest []byte, into any) error {
	if !whole(document, digest) || json.Unmarshal(document, into) != nil {
		return s.damagedJournal()
	}
	return nil
}

// whole reports whether what is read is what was written.
func whole(document, digest []byte) bool {
	sum := sha256.Sum256(document)
	return string(sum[:]) == string(digest)
}

func (s *Store) damaged() error {
	what, hint := damaged(s.folder)
	return dropcap.Errorf(dropcap.CodeError, hint, "cannot use the store %s: %s", s.folder, what)
}

// all reads the documents that a query finds, by unseal or unsealChange; never nil without an
// error.
func all[T any](ctx context.Context, s *Store,
	unseal func(document, digest []byte, into any) error, query string, args ...any) ([]T, error) {
	list := []T{}
	err := s.each(ctx, func(document, digest []byte) error {
		var v T
		if err := unseal(document, digest, &v); err != nil {
			return err
		}
		list = append(list, v)
		return nil
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return list, nil
}

// each reads documents with their digests, one after the other. They are not kept.
func (s *Store) each(ctx context.Context, do func(document, digest []byte) error, query string,
	args ...any) error {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var document, digest sql.RawBytes
		if err := rows.Scan(&document, &digest); err != nil {
			return err
		}
		if err := do(document, digest); err != nil {
			return err
		}
	}
	return rows.Err()
}
