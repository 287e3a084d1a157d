package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"

	"dropcap"
	"dropcap/internal/foreign"
)

// SaveRun stores the state of a fleet's run durably.
func (s *Store) SaveRun(ctx context.Context, r dropcap.FleetRun) error {
	return sentence(s.folder, s.inTransaction(ctx, func(tx *sql.Tx) error {
		document, digest, err := sealed(r)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			`INSERT INTO fleet_run (id, state, document, digest) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET state = excluded.state, document = excluded.document, digest = excluded.digest`,
			r.ID, string(r.State), document, digest)
		return err
	}))
}

// SaveHosts stores the state of a run's hosts, all of them or none. It leaves the run's other hosts
// as they are.
func (s *Store) SaveHosts(ctx context.Context, run string, hosts []dropcap.FleetHost) error {
	return sentence(s.folder, s.inTransaction(ctx, func(tx *sql.Tx) error {
		var there int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM fleet_run WHERE id = ?", run).
			Scan(&there); err != nil {
			return err
		}
		if there == 0 {
			return missing("run", run)
		}
		var number int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM fleet_host WHERE run = ?", run).
			Scan(&number); err != nil {
			return err
		}
		for i, h := range hosts {
			document, digest, err := sealedHost(h)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx,
				`INSERT INTO fleet_host (run, host, number, document, digest) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (run, host) DO UPDATE SET document = excluded.document, digest = excluded.digest`, run, h.Host, number+i, document, digest)
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// Run returns a run and its hosts in the order in which they were first saved. The cause is
// dropcap.ErrNotFound if there is none.
func (s *Store) Run(ctx context.Context,
	id string) (r dropcap.FleetRun, hosts []dropcap.FleetHost, err error) {
	var document, digest []byte
	err = s.db.QueryRowContext(ctx, "SELECT document, digest FROM fleet_run WHERE id = ?", id).
		Scan(&document, &digest)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil, missing("run", id)
	}
	if err == nil {
		err = s.unseal(document, digest, &r)
	}
	if err != nil {
		return r, nil, sentence(s.folder, err)
	}
	hosts = []dropcap.FleetHost{}
	err = s.each(ctx, func(document, digest []byte) error {
		h, err := s.unsealHost(document, digest)
		if err != nil {
			return err
		}
		hosts = append(hosts, h)
		return nil
	}, "SELECT document, digest FROM fleet_host WHERE run = ? ORDER BY number", id)
	return r, hosts, sentence(s.folder, err)
}

// Runs returns all runs, the newest first.
func (s *Store) Runs(ctx context.Context) ([]dropcap.FleetRun, error) {
	list, err := all[dropcap.FleetRun](ctx, s, s.unseal,
		"SELECT document, digest FROM fleet_run ORDER BY number DESC")
	return list, sentence(s.folder, err)
}

// sealedHost returns a host as JSON in one line, followed by its receipt's document, packed as it
// is: showing a run's state then does not mean reading ten thousand documents.
func sealedHost(h dropcap.FleetHost) (document, digest []byte, err error) {
	packed := h.Packed
	if h.Receipt != nil && packed == nil {
		foreign.Take(&h, *h.Receipt)
		packed = h.Packed
	}
	h.Packed = nil
	if document, _, err = sealed(h); err != nil {
		return nil, nil, err
	}
	if len(packed) > 0 {
		document = append(append(bytes.TrimSpace(document), '\n'), packed...)
	}
	sum := sha256.Sum256(document)
	return document, sum[:], nil
}

func (s *Store) unsealHost(document, digest []byte) (h dropcap.FleetHost, err error) {
	if !whole(document, digest) {
		return h, s.damaged()
	}
	head, packed, _ := bytes.Cut(document, []byte("\n"))
	sum := sha256.Sum256(head)
	err = s.unseal(head, sum[:], &h)
	h.Packed = bytes.Clone(packed) // the rows reuse their memory
	return h, err
}

// ForgetRun removes a run and its hosts. It is no error if there is none.
func (s *Store) ForgetRun(ctx context.Context, id string) error {
	return sentence(s.folder, s.inTransaction(ctx, func(tx *sql.Tx) error {
		for _, q := range []string{"DELETE FROM fleet_host WHERE run = ?",
			"DELETE FROM fleet_run WHERE id = ?"} {
			if _, err := tx.ExecContext(ctx, q, id); err != nil {
				return err
			}
		}
		return nil
	}))
}
