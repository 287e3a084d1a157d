package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"dropcap"
)

// fifth is version 5: the hardenings, one for each workload. version counts how often it was
// written.
func fifth(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx,
		`CREATE TABLE hardening (workload TEXT PRIMARY KEY, version INTEGER NOT NULL, document BLOB NOT NULL, digest BLOB NOT NULL) STRICT`)
	return err
}

// Hardenings returns all hardenings, ordered by workload; never nil without an error.
func (s *Store) Hardenings(ctx context.Context) ([]dropcap.Hardening, error) {
	list, err := all[dropcap.Hardening](ctx, s, s.unseal,
		"SELECT document, digest FROM hardening ORDER BY workload")
	return list, sentence(s.folder, err)
}

// Marks returns two texts that differ from those of another time if a hardening, or a change, was
// written since. It reads no documents.
func (s *Store) Marks(ctx context.Context) (hardenings, changes string, err error) {
	err = s.db.QueryRowContext(ctx,
		`SELECT (SELECT count(*) || '/' || coalesce(sum(version), 0) FROM hardening),
			(SELECT coalesce(max(number), 0) || '/' || coalesce(group_concat(state), '') FROM change)`).
		Scan(&hardenings, &changes)
	return hardenings, changes, sentence(s.folder, err)
}

// KeepHardening replaces the hardening of a workload durably if it is still was, nil for none, and
// reports whether it did: another process may have changed it.
func (s *Store) KeepHardening(ctx context.Context, was *dropcap.Hardening,
	is dropcap.Hardening) (kept bool, err error) {
	if len(is.Workload) > maxKey || is.Workload == "" {
		return false, dropcap.Errorf(dropcap.CodeError, "",
			"cannot keep the hardening of a workload whose name has %d bytes: 1 to %d are kept",
			len(is.Workload), maxKey)
	}
	err = s.inTransaction(ctx, func(tx *sql.Tx) error {
		kept, err = s.keepHardening(ctx, tx, was, is)
		return err
	})
	return kept && err == nil, sentence(s.folder, err)
}

func (s *Store) keepHardening(ctx context.Context, tx *sql.Tx, was *dropcap.Hardening,
	is dropcap.Hardening) (kept bool, err error) {
	var former, there, digest []byte
	if was != nil {
		if former, err = json.Marshal(was); err != nil {
			return false, err
		}
	}
	err = tx.QueryRowContext(ctx, "SELECT document, digest FROM hardening WHERE workload = ?",
		is.Workload).Scan(&there, &digest)
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return false, err
	case err == nil && !whole(there, digest):
		return false, s.damaged()
	case !bytes.Equal(former, there):
		return false, nil
	}
	document, sum, err := sealed(is)
	if err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx,
		`INSERT INTO hardening (workload, version, document, digest) VALUES (?, 1, ?, ?)
		ON CONFLICT (workload) DO UPDATE SET version = version + 1, document = excluded.document, digest = excluded.digest`,
		is.Workload, document, sum)
	return err == nil, err
}

// EvidenceOf returns the evidence of one workload, ordered by revision.
func (s *Store) EvidenceOf(ctx context.Context, workload string) ([]dropcap.WorkloadEvidence,
	error) {
	list, err := all[dropcap.WorkloadEvidence](ctx, s, s.unseal,
		"SELECT document, digest FROM evidence WHERE workload = ? ORDER BY revision", workload)
	return list, sentence(s.folder, err)
}
