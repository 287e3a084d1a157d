package render

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"

	"dropcap"
	"dropcap/internal/owner"
)

var csvHead = []string{
	"host", "id", "name", "image", "state", "owner", "workload", "user", "privileged", "cap_add",
	"cap_drop", "holds", "verdict",
	"rule", "severity", "caps", "because", "fix", "known", "waived_by", "waived_until",
	"waived_because",
	"gave_up", "nested",
}

// auditCSV writes RFC 4180: a row for each container and finding, one for a container without any,
// and one for each finding about the policy.
func auditCSV(w io.Writer, s audits, _ Options) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := csvWrite(out, csvHead); err != nil {
		return err
	}
	for d, a := range s.each {
		if err := csvWrite(out, csvHost(s.name(d, a), a)...); err != nil {
			return err
		}
	}
	for _, f := range s.failures {
		nobody := csvNobody(f.Host)
		nobody[len(nobody)-1] = string(dropcap.Unknown)
		row := csvRows(nobody, csvBeside(dropcap.Judged{}),
			[]dropcap.Finding{{Rule: dropcap.RuleUnseen, Because: f.Cause + ": " + f.Message,
				Fix: f.Hint}})
		if err := csvWrite(out, row...); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func csvWrite(out *csv.Writer, rows ...[]string) error {
	for _, r := range rows {
		safe := make([]string, len(r))
		for i := range r {
			safe[i] = csvCell(r[i])
		}
		if err := out.Write(safe); err != nil {
			return err
		}
	}
	return nil
}

// csvHost returns the rows of one host, under this name.
func csvHost(host string, a dropcap.Audit) [][]string {
	var rows [][]string
	for _, c := range a.Containers {
		rows = append(rows, csvRows(csvContainer(host, c), csvBeside(c), c.Findings)...)
	}
	if len(a.Findings) > 0 {
		rows = append(rows, csvRows(csvNobody(host), csvBeside(dropcap.Judged{}), a.Findings)...)
	}
	return rows
}

// csvNobody returns the first cells of a finding without a container.
func csvNobody(host string) []string {
	row := make([]string, len(csvContainer("", dropcap.Judged{})))
	row[0] = host
	return row
}

// csvRows returns the rows of one container: each finding's cells between lead and tail.
func csvRows(lead, tail []string, list []dropcap.Finding) [][]string {
	if len(list) == 0 {
		return [][]string{slices.Concat(lead, make([]string, len(csvHead)-len(lead)-len(tail)),
			tail)}
	}
	var rows [][]string
	for _, f := range list {
		rows = append(rows, slices.Concat(lead, csvFinding(f), tail))
	}
	return rows
}

// csvBeside returns the cells for what else there is besides what a container holds.
func csvBeside(c dropcap.Judged) []string {
	gone := c.GaveUp()
	return []string{strings.Join(names(&gone), " "), strings.Join(names(c.Kernel.Nested), " ")}
}

func csvContainer(host string, c dropcap.Judged) []string {
	held := "unknown"
	if set := c.Holds(); set != nil {
		held = strings.Join(names(set), " ")
	}
	return []string{
		host, c.ID, c.Name, c.Image, c.State, owner.Title(c.Owner), c.Workload, c.User,
		strconv.FormatBool(c.Declared.Privileged),
		strings.Join(c.Declared.Add, " "), strings.Join(c.Declared.Drop, " "), held,
		string(c.Verdict),
	}
}

func csvFinding(f dropcap.Finding) []string {
	row := []string{
		string(f.Rule), string(f.Severity), strings.Join(names(&f.Caps), " "), f.Because, f.Fix,
		strconv.FormatBool(f.Known), "", "", "",
	}
	if w := f.Waiver; w != nil {
		copy(row[len(row)-3:], []string{w.Owner, w.LastDay(), w.Reason})
	}
	return row
}
