package store

import (
	"context"
	"database/sql"
	"errors"

	"dropcap"
)

// SaveRun keeps where a fleet's run stands, durably.
func (s *Store) SaveRun(ctx context.Context, r dropcap.FleetRun) error {
	return said(s.folder, s.inTransaction(ctx, func(tx *sql.Tx) error {
		document, digest, err := sealed(r)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO fleet_run (id, state, document, digest) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET state = excluded.state, document = excluded.document, digest = excluded.digest`,
			r.ID, string(r.State), document, digest)
		return err
	}))
}

// SaveHosts keeps how hosts of a run stand, all of them or none; hosts that are not among them stay as they are.
func (s *Store) SaveHosts(ctx context.Context, run string, hosts []dropcap.FleetHost) error {
	return said(s.folder, s.inTransaction(ctx, func(tx *sql.Tx) error {
		var there int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM fleet_run WHERE id = ?", run).Scan(&there); err != nil {
			return err
		}
		if there == 0 {
			return missing("run", run)
		}
		for _, h := range hosts {
			document, digest, err := sealed(h)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO fleet_host (run, host, number, document, digest)
				VALUES (?1, ?2, (SELECT count(*) FROM fleet_host WHERE run = ?1), ?3, ?4)
				ON CONFLICT (run, host) DO UPDATE SET document = excluded.document, digest = excluded.digest`, run, h.Host, document, digest)
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// Run gives a run and its hosts in the order in which they were first saved; dropcap.ErrNotFound is the cause if there is none.
func (s *Store) Run(ctx context.Context, id string) (r dropcap.FleetRun, hosts []dropcap.FleetHost, err error) {
	var document, digest []byte
	err = s.db.QueryRowContext(ctx, "SELECT document, digest FROM fleet_run WHERE id = ?", id).Scan(&document, &digest)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil, missing("run", id)
	}
	if err == nil {
		err = s.unseal(document, digest, &r)
	}
	if err != nil {
		return r, nil, said(s.folder, err)
	}
	hosts = []dropcap.FleetHost{}
	err = s.each(ctx, func(document, digest []byte) error {
		var h dropcap.FleetHost
		if err := s.unseal(document, digest, &h); err != nil {
			return err
		}
		hosts = append(hosts, h)
		return nil
	}, "SELECT document, digest FROM fleet_host WHERE run = ? ORDER BY number", id)
	return r, hosts, said(s.folder, err)
}

// Runs gives all runs, the newest first.
func (s *Store) Runs(ctx context.Context) ([]dropcap.FleetRun, error) {
	list := []dropcap.FleetRun{}
	err := s.each(ctx, func(document, digest []byte) error {
		var r dropcap.FleetRun
		if err := s.unseal(document, digest, &r); err != nil {
			return err
		}
		list = append(list, r)
		return nil
	}, "SELECT document, digest FROM fleet_run ORDER BY number DESC")
	return list, said(s.folder, err)
}
