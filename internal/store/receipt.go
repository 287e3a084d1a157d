package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"dropcap"
)

// MaxReceipt limits one receipt, in bytes: what a frame can carry.
const MaxReceipt = 64 << 20

// The limits that TrimReceipts enforces.
const (
	KeptReceipts = 200      // with their documents
	KeptBytes    = 64 << 20 // of their documents
	// plans this young keep their document, since they may still be applied,
	KeptPlans     = 7 * 24 * time.Hour
	KeptPlanBytes = 256 << 20 // but no more than this: the journal needs room
	// a command is delivered within 30 days or never: that long a host remembers what it has done
	KeptRequests = 31 * 24 * time.Hour
)

// third is version 3: what a host has done for a fleet, and the state of a controller's runs.
// number is the order in which they began.
func third(ctx context.Context, tx *sql.Tx) error {
	for _, q := range []string{
		`CREATE TABLE receipt (request TEXT NOT NULL PRIMARY KEY, number INTEGER NOT NULL UNIQUE, state TEXT NOT NULL, verb TEXT NOT NULL,
			started TEXT NOT NULL, document BLOB NOT NULL, digest BLOB NOT NULL) STRICT`,
		`CREATE TABLE fleet_run (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, document BLOB NOT NULL,
			digest BLOB NOT NULL) STRICT`,
		`CREATE TABLE fleet_host (run TEXT NOT NULL REFERENCES fleet_run (id) ON DELETE CASCADE, host TEXT NOT NULL, number INTEGER NOT NULL,
			document BLOB NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (run, host)) STRICT`,
	} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// BeginReceipt records that a request begins, unless it is known already. Of all processes that
// try, exactly one gets begun; the others get the existing receipt.
func (s *Store) BeginReceipt(ctx context.Context,
	r dropcap.Receipt) (existing dropcap.Receipt, begun bool, err error) {
	err = s.inTransaction(ctx, func(tx *sql.Tx) error {
		existing, err = s.receipt(ctx, tx, r.Request)
		if err == nil || !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		document, digest, err := sealed(r)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			`INSERT INTO receipt (request, number, state, verb, started, document, digest)
			VALUES (?, (SELECT ifnull(max(number), 0) + 1 FROM receipt), ?, ?, ?, ?, ?)`, r.Request, string(r.State), r.Verb, r.Started, document, digest)
		begun, existing = err == nil, r
		return err
	})
	if err != nil {
		return dropcap.Receipt{}, false, sentence(s.folder, err)
	}
	return existing, begun, nil
}

// SaveReceipt replaces the receipt of a request that was begun.
func (s *Store) SaveReceipt(ctx context.Context, r dropcap.Receipt) error {
	return sentence(s.folder, s.inTransaction(ctx, func(tx *sql.Tx) error {
		return saveReceipt(ctx, tx, r)
	}))
}

func saveReceipt(ctx context.Context, tx *sql.Tx, r dropcap.Receipt) error {
	document, digest, err := sealed(r)
	if err != nil {
		return err
	}
	changed, err := tx.ExecContext(ctx,
		"UPDATE receipt SET state = ?, document = ?, digest = ? WHERE request = ?", string(r.State),
		document, digest, r.Request)
	if err != nil {
		return err
	}
	if n, err := changed.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return missing("request", r.Request)
}

// Receipt returns the receipt of a request. The cause is dropcap.ErrNotFound if there is none.
func (s *Store) Receipt(ctx context.Context, request string) (dropcap.Receipt, error) {
	r, err := s.receipt(ctx, s.db, request)
	if errors.Is(err, sql.ErrNoRows) {
		return r, missing("request", request)
	}
	return r, sentence(s.folder, err)
}

func (s *Store) receipt(ctx context.Context, q querier,
	request string) (r dropcap.Receipt, err error) {
	var document, digest []byte
	if err := q.QueryRowContext(ctx, "SELECT document, digest FROM receipt WHERE request = ?",
		request).Scan(&document, &digest); err != nil {
		return r, err
	}
	return r, s.unseal(document, digest, &r)
}

// Receipts returns all receipts, the newest first.
func (s *Store) Receipts(ctx context.Context) ([]dropcap.Receipt, error) {
	list, err := all[dropcap.Receipt](ctx, s, s.unseal,
		"SELECT document, digest FROM receipt ORDER BY number DESC")
	return list, sentence(s.folder, err)
}

// Running returns the names of the requests that have not ended, the oldest first.
func (s *Store) Running(ctx context.Context) (list []string, err error) {
	rows, err := s.db.QueryContext(ctx,
		"SELECT request FROM receipt WHERE state = ? ORDER BY number",
		string(dropcap.ReceiptRunning))
	if err != nil {
		return nil, sentence(s.folder, err)
	}
	defer rows.Close()
	for rows.Next() {
		var request string
		if err := rows.Scan(&request); err != nil {
			return nil, sentence(s.folder, err)
		}
		list = append(list, request)
	}
	return list, sentence(s.folder, rows.Err())
}

// TrimReceipts keeps the newest receipts within the limits above, and returns how many lost
// something. Receipts first lose their documents, so that a repeated request is still known; those
// too old for that are removed. It leaves requests that have not ended as they are.
func (s *Store) TrimReceipts(ctx context.Context, now time.Time) (n int, err error) {
	err = s.inTransaction(ctx, func(tx *sql.Tx) error {
		list, err := receiptSizes(ctx, tx)
		if err != nil {
			return err
		}
		n = 0
		whole, bytes, plans := 0, 0, 0
		for _, r := range list {
			age := now.Sub(r.started)
			over := dropcap.ReceiptState(r.state).Over()
			switch {
			case !over:
				continue
			case r.verb == "plan" && age < KeptPlans && plans+r.size <= KeptPlanBytes:
				plans += r.size
				continue
			case whole < KeptReceipts && bytes+r.size <= KeptBytes:
				whole, bytes = whole+1, bytes+r.size
				continue
			case age >= KeptRequests:
				_, err = tx.ExecContext(ctx, "DELETE FROM receipt WHERE request = ?", r.request)
			default:
				err = s.slim(ctx, tx, r.request)
			}
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, sentence(s.folder, err)
}

type receiptSize struct {
	request, state, verb string
	started              time.Time
	size                 int
}

func receiptSizes(ctx context.Context, tx *sql.Tx) (list []receiptSize, err error) {
	rows, err := tx.QueryContext(ctx,
		"SELECT request, state, verb, started, length(document) FROM receipt ORDER BY number DESC")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r receiptSize
		var started string
		if err := rows.Scan(&r.request, &r.state, &r.verb, &started, &r.size); err != nil {
			return nil, err
		}
		r.started, _ = time.Parse(time.RFC3339, started) // an unreadable time counts as the oldest
		list = append(list, r)
	}
	return list, rows.Err()
}

// slim removes a receipt's document.
func (s *Store) slim(ctx context.Context, tx *sql.Tx, request string) error {
	r, err := s.receipt(ctx, tx, request)
	if err != nil {
		return err
	}
	if r.Document == nil {
		return nil
	}
	r.Document, r.Messages = nil, []string{"the document was kept for a while and is not any more"}
	return saveReceipt(ctx, tx, r)
}

func missing(what, id string) error {
	return &dropcap.Error{Code: dropcap.CodeError, Message: "cannot find the " + what + " " +
		strconv.Quote(id), Err: dropcap.ErrNotFound}
}
