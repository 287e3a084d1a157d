package render

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"dropcap"
)

var csvHead = []string{
	"host", "id", "name", "image", "state", "owner", "workload", "user", "privileged", "cap_add", "cap_drop", "holds", "verdict",
	"rule", "severity", "caps", "because", "fix", "known", "waived_by", "waived_until", "waived_because",
}

// auditCSV writes RFC 4180: a row per container and finding, one for a container without any, and one per finding of the policy.
func auditCSV(w io.Writer, a dropcap.Audit, _ Options) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	rows := [][]string{csvHead}
	for _, c := range a.Containers {
		rows = append(rows, csvRows(csvContainer(a.Host, c), c.Findings)...)
	}
	if len(a.Findings) > 0 {
		nobody := make([]string, len(csvContainer(a.Host, dropcap.Judged{})))
		nobody[0] = a.Host.Name
		rows = append(rows, csvRows(nobody, a.Findings)...)
	}
	for _, r := range rows {
		for i := range r {
			r[i] = csvCell(r[i])
		}
	}
	return out.WriteAll(rows)
}

func csvRows(lead []string, list []dropcap.Finding) [][]string {
	if len(list) == 0 {
		return [][]string{append(append([]string{}, lead...), make([]string, len(csvHead)-len(lead))...)}
	}
	var rows [][]string
	for _, f := range list {
		rows = append(rows, append(append([]string{}, lead...), csvFinding(f)...))
	}
	return rows
}

func csvContainer(h dropcap.Host, c dropcap.Judged) []string {
	held := "unknown"
	if set := c.Holds(); set != nil {
		held = strings.Join(names(set), " ")
	}
	return []string{
		h.Name, c.ID, c.Name, c.Image, c.State, owner(c.Owner), c.Workload, c.User, strconv.FormatBool(c.Declared.Privileged),
		strings.Join(c.Declared.Add, " "), strings.Join(c.Declared.Drop, " "), held, string(c.Verdict),
	}
}

func csvFinding(f dropcap.Finding) []string {
	row := []string{
		string(f.Rule), string(f.Severity), strings.Join(names(&f.Caps), " "), f.Because, f.Fix, strconv.FormatBool(f.Known), "", "", "",
	}
	if w := f.Waiver; w != nil {
		copy(row[len(row)-3:], []string{w.Owner, w.LastDay(), w.Reason})
	}
	return row
}
