package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"dropcap"
)

// MaxDocument is the size of the largest stored document, in bytes. An honest one is about 20 KiB.
const MaxDocument = 4 << 20

// maxKey limits the names of workloads and revisions, which come from labels.
const maxKey = 4096

// Evidence returns all evidence, ordered by workload and revision.
func (s *Store) Evidence(ctx context.Context) ([]dropcap.WorkloadEvidence, error) {
	list, err := all[dropcap.WorkloadEvidence](ctx, s, s.unseal,
		"SELECT document, digest FROM evidence ORDER BY workload, revision")
	return list, sentence(s.folder, err)
}

// EachEvidence passes on all evidence, one after the other in the order of Evidence, without
// keeping any. An error of do ends it, and is returned.
func (s *Store) EachEvidence(ctx context.Context, do func(dropcap.WorkloadEvidence) error) error {
	return sentence(s.folder, s.each(ctx, func(document, digest []byte) error {
		var w dropcap.WorkloadEvidence
		if err := s.unseal(document, digest, &w); err != nil {
			return err
		}
		return do(w)
	}, "SELECT document, digest FROM evidence ORDER BY workload, revision"))
}

// Update changes the evidence of one workload at one revision, in one transaction. change receives
// what is stored, nil if nothing is, and returns the new value. It must not use the store. If it
// fails, Update returns its error unchanged. After any error nothing has changed.
func (s *Store) Update(ctx context.Context, workload, revision string,
	change func(old *dropcap.WorkloadEvidence) (dropcap.WorkloadEvidence, error)) error {
	if len(workload) > maxKey || len(revision) > maxKey {
		return dropcap.Errorf(dropcap.CodeError, "",
			"cannot keep evidence of a workload whose name is longer than %d bytes", maxKey)
	}
	var refused error
	err := s.inTransaction(ctx, func(tx *sql.Tx) error {
		old, err := s.read(ctx, tx, workload, revision)
		if err != nil {
			return err
		}
		var changed dropcap.WorkloadEvidence
		if changed, refused = change(old); refused != nil {
			return refused
		}
		changed.Workload, changed.Revision = workload, revision
		return write(ctx, tx, changed)
	})
	if refused != nil {
		return refused
	}
	return sentence(s.folder, err)
}

// UpdateMany is like Update for many keys, each a workload and a revision, in one transaction;
// change receives the key's index. Each transaction waits for the disk several times, so many
// changes in one take little longer than one.
func (s *Store) UpdateMany(ctx context.Context, keys [][2]string,
	change func(i int, old *dropcap.WorkloadEvidence) dropcap.WorkloadEvidence) error {
	for _, k := range keys {
		if len(k[0]) > maxKey || len(k[1]) > maxKey {
			return dropcap.Errorf(dropcap.CodeError, "",
				"cannot keep evidence of a workload whose name is longer than %d bytes", maxKey)
		}
	}
	err := s.inTransaction(ctx, func(tx *sql.Tx) error {
		for i, k := range keys {
			old, err := s.read(ctx, tx, k[0], k[1])
			if err != nil {
				return err
			}
			changed := change(i, old)
			changed.Workload, changed.Revision = k[0], k[1]
			if err := write(ctx, tx, changed); err != nil {
				return err
			}
		}
		return nil
	})
	return sentence(s.folder, err)
}

// read returns one document, nil if there is none.
func (s *Store) read(ctx context.Context, tx *sql.Tx, workload,
	revision string) (*dropcap.WorkloadEvidence, error) {
	var document, digest []byte
	err := tx.QueryRowContext(ctx,
		"SELECT document, digest FROM evidence WHERE workload = ? AND revision = ?", workload,
		revision).Scan(&document, &digest)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var e dropcap.WorkloadEvidence
	err = s.unseal(document, digest, &e)
	return &e, err
}

func write(ctx context.Context, tx *sql.Tx, e dropcap.WorkloadEvidence) error {
	document, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if len(document) > MaxDocument {
		return dropcap.Errorf(dropcap.CodeError,
			"forget what is stored of it with 'dropcap evidence forget'",
			"cannot keep the evidence of workload %q: it is larger than %d MiB", e.Workload,
			MaxDocument>>20)
	}
	sum := sha256.Sum256(document)
	_, err = tx.ExecContext(ctx,
		`INSERT INTO evidence (workload, revision, changed, document, digest) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (workload, revision) DO UPDATE SET changed = excluded.changed, document = excluded.document, digest = excluded.digest`,
		e.Workload, e.Revision, time.Now().UTC().Format(time.RFC3339), document, sum[:])
	return err
}

// Forget removes the evidence of a workload at a revision, or at all revisions if revision is
// empty, and returns how many documents it removed.
func (s *Store) Forget(ctx context.Context, workload, revision string) (n int, err error) {
	err = s.inTransaction(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx,
			"DELETE FROM evidence WHERE workload = ? AND (? = '' OR revision = ?)", workload,
			revision, revision)
		if err != nil {
			return err
		}
		gone, err := r.RowsAffected()
		n = int(gone)
		return err
	})
	if err != nil {
		return 0, sentence(s.folder, err)
	}
	return n, nil
}
