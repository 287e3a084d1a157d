package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"dropcap"
)

// fourth is version 4: trials and holds. process is who denies, and stop why a person wants that to
// end.
func fourth(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx,
		`CREATE TABLE trial (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, container TEXT NOT NULL,
			state TEXT NOT NULL, process TEXT NOT NULL, stop TEXT NOT NULL, document BLOB NOT NULL, digest BLOB NOT NULL) STRICT`)
	return err
}

// trialsKept is how many trials and holds that are over are kept.
const trialsKept = 1000

// KeptTrial is a trial or a hold with who denies.
type KeptTrial struct {
	dropcap.Trial
	Process string // "PID:START"; empty for a hold
	Stop    string // why a person wants it to end; empty if nobody does
}

// BeginTrial keeps a new trial, durably. It is refused with ErrBusy if one of its kind already runs
// for the container; alive reports whether the process that a running one names still lives, and a
// trial whose process does not has died. The oldest that are over are deleted.
func (s *Store) BeginTrial(ctx context.Context, t KeptTrial,
	alive func(process string) bool) error {
	return sentence(s.folder, s.inTransaction(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx,
			"SELECT id, process FROM trial WHERE container = ? AND kind = ? AND state = ?",
			t.Container, string(t.Kind), string(dropcap.TrialRunning))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, process string
			if err := rows.Scan(&id, &process); err != nil {
				return err
			}
			if id != t.ID && (t.Kind == dropcap.KindHold || alive(process)) {
				return busy("`dropcap "+string(t.Kind)+" --list` shows it",
					"cannot begin a %s of %s: %s already runs", t.Kind, t.Name, id)
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if err := writeTrial(ctx, tx, t); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM trial WHERE state <> ? AND number <=
			(SELECT max(number) FROM trial) - ?`, string(dropcap.TrialRunning), trialsKept)
		return err
	}))
}

// SaveTrial replaces what is kept of a trial, durably. A person's wish to stop it is kept.
func (s *Store) SaveTrial(ctx context.Context, t KeptTrial) error {
	return sentence(s.folder, s.inTransaction(ctx, func(tx *sql.Tx) error {
		return writeTrial(ctx, tx, t)
	}))
}

// EditTrial changes what is kept of a trial or hold, durably and while nobody else does. One that
// is over is left as it is.
func (s *Store) EditTrial(ctx context.Context, id string, edit func(*dropcap.Trial)) error {
	return sentence(s.folder, s.inTransaction(ctx, func(tx *sql.Tx) error {
		var t KeptTrial
		var document, digest []byte
		err := tx.QueryRowContext(ctx, "SELECT process, stop, document, digest FROM trial "+
			"WHERE id = ? AND state = ?", id, string(dropcap.TrialRunning)).Scan(&t.Process,
			&t.Stop, &document, &digest)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.unseal(document, digest, &t.Trial); err != nil {
			return err
		}
		edit(&t.Trial)
		return writeTrial(ctx, tx, t)
	}))
}

func writeTrial(ctx context.Context, tx *sql.Tx, t KeptTrial) error {
	document, digest, err := sealed(t.Trial)
	if err != nil {
		return err
	}
	if t.ID == "" || len(document) > MaxDocument {
		return dropcap.Errorf(dropcap.CodeError, "",
			"cannot keep the %s %q: it has no id, or is larger than %d MiB", t.Kind, t.ID,
			MaxDocument>>20)
	}
	_, err = tx.ExecContext(ctx,
		`INSERT INTO trial (id, kind, container, state, process, stop, document, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET container = excluded.container, state = excluded.state, process = excluded.process,
			document = excluded.document, digest = excluded.digest`,
		t.ID, string(t.Kind), t.Container, string(t.State), t.Process, t.Stop, document, digest)
	return err
}

// Trials returns all trials and holds, the newest first.
func (s *Store) Trials(ctx context.Context) ([]KeptTrial, error) {
	return s.trials(ctx, "")
}

// RunningTrials returns those that are not over as far as anybody said so, the newest first.
func (s *Store) RunningTrials(ctx context.Context) ([]KeptTrial, error) {
	return s.trials(ctx, fmt.Sprintf(" WHERE state = '%s'", dropcap.TrialRunning))
}

func (s *Store) trials(ctx context.Context, where string) ([]KeptTrial, error) {
	list, err := s.scanTrials(ctx, "SELECT process, stop, document, digest FROM trial"+where+
		" ORDER BY number DESC")
	return list, sentence(s.folder, err)
}

func (s *Store) scanTrials(ctx context.Context, query string) ([]KeptTrial, error) {
	rows, err := s.db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []KeptTrial{}
	for rows.Next() {
		var t KeptTrial
		var document, digest sql.RawBytes
		if err := rows.Scan(&t.Process, &t.Stop, &document, &digest); err != nil {
			return nil, err
		}
		if err := s.unseal(document, digest, &t.Trial); err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, rows.Err()
}

// StopTrial asks the process that denies to end a trial, and says why. One that is over is left as
// it is.
func (s *Store) StopTrial(ctx context.Context, id, because string) error {
	return sentence(s.folder, s.inTransaction(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE trial SET stop = ? WHERE id = ? AND state = ?",
			because, id, string(dropcap.TrialRunning))
		return err
	}))
}

// StopsAsked returns why persons want trials to end, by their ids.
func (s *Store) StopsAsked(ctx context.Context) (map[string]string, error) {
	stops := map[string]string{}
	rows, err := s.db.QueryContext(ctx, "SELECT id, stop FROM trial WHERE state = ? AND stop <> ''",
		string(dropcap.TrialRunning))
	if err != nil {
		return nil, sentence(s.folder, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, because string
		if err := rows.Scan(&id, &because); err != nil {
			return nil, sentence(s.folder, err)
		}
		stops[id] = because
	}
	return stops, sentence(s.folder, rows.Err())
}
